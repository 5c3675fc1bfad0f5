import { assertEquals, assertThrows } from "@std/assert";
import { DarwinMemoryCollector } from "../../lib/metrics/machine_darwin.ts";
import { fakeSource } from "./fake_host.ts";

const INFO = { total: 1_000_000, free: 100_000, available: 400_000, swapTotal: 50, swapFree: 20 };
const host = { memory: () => INFO };
const VM_STAT = `Mach Virtual Memory Statistics: (page size of 1000 bytes)
Pages wired down:          120.
Pages purgeable:            10.
Anonymous pages:           300.
Pages occupied by compressor:  40.
`;
const swap = { totalBytes: 50, usedBytes: 30 };

Deno.test("DarwinMemoryCollector.collect() counts in mode htop as Activity Monitor does", () => {
  const memory = new DarwinMemoryCollector(host, fakeSource(() => VM_STAT), "htop");
  assertEquals(memory.collect(), { memory: { totalBytes: 1_000_000, usedBytes: 450_000 }, swap });
});

for (const [mode, usedBytes] of [["available", 600_000], ["all", 900_000]] as const) {
  Deno.test(`DarwinMemoryCollector.collect() uses no command in mode ${mode}`, () => {
    const memory = new DarwinMemoryCollector(
      host,
      fakeSource(() => {
        throw new Error("asked");
      }),
      mode,
    );
    assertEquals(memory.collect(), { memory: { totalBytes: 1_000_000, usedBytes }, swap });
  });
}

Deno.test("DarwinMemoryCollector.collect() has no memory before the first output of vm_stat, or without a total", () => {
  assertEquals(new DarwinMemoryCollector(host, fakeSource(() => undefined), "htop").collect(), {
    swap,
  });
  const empty = { memory: () => ({ ...INFO, total: 0 }) };
  assertEquals(new DarwinMemoryCollector(empty, fakeSource(() => VM_STAT), "htop").collect(), {
    swap,
  });
});

Deno.test("DarwinMemoryCollector.collect() keeps used bytes between 0 and the total", () => {
  const small = { memory: () => ({ ...INFO, total: 1_000, swapFree: 60 }) };
  assertEquals(new DarwinMemoryCollector(small, fakeSource(() => VM_STAT), "htop").collect(), {
    memory: { totalBytes: 1_000, usedBytes: 1_000 },
    swap: { totalBytes: 50, usedBytes: 0 },
  });
});

Deno.test("DarwinMemoryCollector.collect() throws when the output of vm_stat is malformed", () => {
  const memory = new DarwinMemoryCollector(host, fakeSource(() => "vm_stat: no"), "htop");
  assertThrows(() => memory.collect(), SyntaxError);
});
