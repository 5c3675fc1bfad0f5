import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { CpuCollector } from "../../lib/metrics/cpu.ts";
import { cases, same } from "../cases.ts";
import { timed } from "../fake_time.ts";
import { fakeSource, fakeSourceSequence } from "./fake_host.ts";
import { ratedCpu } from "./rated.ts";

/** What a collector sees that looks at one line of these ticks after the other; the rest of a line is 0. */
function percents(...ticks: string[]): (number | undefined)[] {
  const lines = ticks.map((it) =>
    `cpu  ${it}${" 0".repeat(Math.max(8 - it.split(" ").length, 0))}`
  );
  const look = ratedCpu(new CpuCollector(fakeSourceSequence(...lines)));
  return ticks.map(look);
}

// user, nice, system, idle, iowait, irq, softirq, steal, guest, guest of nice.
const TABLE = cases(`
  the mean since boot, then the use since then: 30 0 0 70, 40 0 0 160 → 30 10
  iowait as idle: 0 0 0 100, 0 0 0 140 40 0 0 20 → 0 20
  nice, irq, softirq and steal as busy: 0 0 0 100, 1 2 3 100 80 4 5 5 → 0 20
  no time of guests twice: 50 0 0 50 0 0 0 0 50 0 → 50
  the last value while no time has passed: 30 0 0 70, 30 0 0 70, 30 0 0 70 → 30 30 30
  no fall of iowait: 10 0 0 940 50, 20 0 0 950 10 → 1 50
  no fall of steal: 10 0 0 900 0 0 0 90, 20 0 0 930 0 0 0 5 → 10 25
  anew from fewer cores: 1000 0 0 9000, 500 0 0 4500, 600 0 0 4800 → 10 10 25
  100 where idle time falls by a tick: 1000 0 0 9000, 1800 0 0 8999 → 10 100
  no more than 100: 6898735948855979 0 0 0 → 100
  the last value when a core goes: 1000 0 0 9000, 1030 0 0 9070, 1050 0 0 4600, 1070 0 0 4680
    → 10 30 30 20
`);

Deno.test("CpuCollector.collect() counts busy time as htop does, once, and never against a counter that falls", async () => {
  await same((row) => percents(...(row.split(": ")[1] ?? "").split(", ")).join(" "), TABLE);
});

timed.test("CpuCollector.collect() throws when the times stand still for two seconds or are malformed, and recovers", (time) => {
  let line = "cpu  30 0 0 70 0 0 0 0 0 0";
  const look = ratedCpu(new CpuCollector(fakeSource(() => line)));
  assertEquals(look(), 30);
  time.tick(1_999);
  assertEquals(look(), 30);
  time.tick(1);
  assertThrows(look, Error, "Cannot use stat: CPU times stand still");
  line = "cpu  31 0 0 71 0 0 0 0 0 0";
  assertEquals(look(), 50);
  line = "cpu  ?";
  assertThrows(look, SyntaxError, '"cpu  ?"');
  line = "cpu  32 0 0 80 0 0 0 0 0 0";
  assertEquals(look(), 10);
  const never = new CpuCollector(fakeSource(() => "cpu  0 0 0 0 0 0 0 0 0 0"));
  assertThrows(() => never.collect(), Error, "stand still");
});

Deno.test("CpuCollector.missingPart() says that times fell, until they are right again", () => {
  const lines = ["1000 0 0 9000", "500 0 0 4000", "510 0 0 4090"].map((it) => `cpu  ${it} 0 0 0 0`);
  const cpu = new CpuCollector(fakeSourceSequence(...lines));
  const problems = lines.map(() => (cpu.collect(), cpu.missingPart()?.message));
  assertEquals(problems, [undefined, "Cannot use stat: CPU times fell", undefined]);
});

Deno.test("CpuCollector.collect() stays between 0 and 100 for any counters", () => {
  const column = fc.maxSafeNat();
  const line = fc.array(column, { minLength: 4, maxLength: 10 }).map((it) => it.join(" "));
  fc.assert(fc.property(fc.array(line, { minLength: 1 }), (lines) => {
    for (const percent of percents("1 1 1 1", ...lines)) {
      assert(percent === undefined || (percent >= 0 && percent <= 100), `got ${percent}`);
    }
  }));
});
