import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { countLogicalCores, CPU_TICKS_BYTES, parseCpuTicks } from "../../lib/parse/proc_stat.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const LINE = "cpu  19391 7 8377 354366 1611 3 112 46 5 2";

Deno.test("parseCpuTicks() reads the kernel's columns and omits guest time", () => {
  assertEquals(parseCpuTicks(LINE), {
    ...{ user: 19391, nice: 7, system: 8377, idle: 354366 },
    ...{ iowait: 1611, irq: 3, softirq: 112, steal: 46 },
  });
});

const cases = [
  ...[
    "",
    "cpu",
    "cpu  1 2 3 4 5 6 7",
    "cpu0 1 2 3 4 5 6 7 8",
    "cpu  1 2 x 4 5 6 7 8",
    "cpu  1 2 -3 4 5 6 7 8",
    // One fell below zero.
    "cpu  1 2 3 18446744073709551000 5 6 7 8",
    "intr 1 2 3 4 5 6 7 8",
  ],
];
Deno.test("parseCpuTicks() throws a SyntaxError for any other text, and nothing else, and reads back what the kernel would write", () => {
  for (const line of cases) assertThrows(() => parseCpuTicks(line), SyntaxError, `"${line}"`);
  onlySyntaxErrors(parseCpuTicks, [LINE]);
  fc.assert(fc.property(fc.array(fc.maxSafeNat(), { minLength: 8, maxLength: 10 }), (columns) => {
    assertEquals(Object.values(parseCpuTicks(`cpu  ${columns.join(" ")}`)), columns.slice(0, 8));
  }));
});

Deno.test("countLogicalCores() counts the cores that are online", () => {
  const text = Deno.readTextFileSync("tests/fixtures/docker-kvm/proc/stat");
  assertEquals(countLogicalCores(text), 2);
  assertEquals(countLogicalCores("cpu  1 1 1 1\ncpu0 1 1 1 1\ncpu17 1 1 1 1\nintr 5\n"), 2);
  assertEquals(countLogicalCores("cpu  1 1 1 1\nintr 5 cpu0 \n"), undefined);
});

Deno.test("CPU_TICKS_BYTES suffices for ten counters of 64 bits", () => {
  const line = `cpu  ${Array.from({ length: 10 }, () => 2n ** 64n - 1n).join(" ")}`;
  assert(line.length < CPU_TICKS_BYTES);
});
