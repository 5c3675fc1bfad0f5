import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Memory } from "../../lib/collect/memory.ts";
import { paperSource } from "./paper_host.ts";

const KIB = 1024;
const MEMINFO = `MemTotal:        1000 kB
MemFree:          100 kB
MemAvailable:     550 kB
Buffers:           20 kB
Cached:           300 kB
SwapCached:        30 kB
SwapTotal:        400 kB
SwapFree:         250 kB
Shmem:             40 kB
SReclaimable:      60 kB
`;

Deno.test("Memory.collect() counts as htop does by default", () => {
  assertEquals(new Memory(paperSource(() => MEMINFO)).collect(), {
    memory: { totalBytes: 1000 * KIB, usedBytes: 560 * KIB },
    swap: { totalBytes: 400 * KIB, usedBytes: 120 * KIB },
  });
});

for (const [mode, used] of [["htop", 560], ["available", 450], ["all", 900]] as const) {
  Deno.test(`Memory.collect() has ${used} KiB in use when the mode is ${mode}`, () => {
    const memory = new Memory(paperSource(() => MEMINFO), mode);
    assertEquals(memory.collect()?.memory.usedBytes, used * KIB);
    assertEquals(memory.effectiveMode, mode);
  });
}

Deno.test("Memory.collect() counts as htop does and says so when the kernel knows nothing of available", () => {
  const text = MEMINFO.replace(/MemAvailable.*\n/, "");
  const memory = new Memory(paperSource(() => text), "available");
  assertEquals(memory.collect()?.memory.usedBytes, 560 * KIB);
  assertEquals(memory.effectiveMode, "htop");
});

Deno.test("Memory.collect() has nothing in use when a container's numbers don't add up", () => {
  const text = MEMINFO.replace("Cached:           300", "Cached:          3000");
  assertEquals(new Memory(paperSource(() => text)).collect()?.memory.usedBytes, 0);
});

Deno.test("Memory.collect() has no swap in use when all of it is cached", () => {
  const text = MEMINFO.replace("SwapCached:        30", "SwapCached:       170");
  assertEquals(new Memory(paperSource(() => text)).collect()?.swap?.usedBytes, 0);
});

Deno.test("Memory.collect() leaves swap out when the kernel does not speak of it", () => {
  const text = MEMINFO.replace(/Swap.*\n/g, "");
  assertEquals(Object.keys(new Memory(paperSource(() => text)).collect() ?? {}), ["memory"]);
});

Deno.test("Memory.collect() gives nothing when there is no such file", () => {
  assertEquals(new Memory(paperSource(() => undefined)).collect(), undefined);
});

Deno.test("Memory.collect() throws when the file is bent", () => {
  assertThrows(() => new Memory(paperSource(() => "MemTotal: x\n")).collect(), SyntaxError, "x");
});

Deno.test("Memory.collect() never has more in use than there is, or less than nothing", () => {
  const values = fc.array(fc.nat(), { minLength: 10, maxLength: 10 });
  const mode = fc.constantFrom("htop", "available", "all");
  fc.assert(fc.property(values, mode, (values, mode) => {
    let next = 0;
    const text = MEMINFO.replace(/\d+/g, () => `${values[next++]}`);
    for (const usage of Object.values(new Memory(paperSource(() => text), mode).collect() ?? {})) {
      assert(usage.usedBytes >= 0 && usage.usedBytes <= usage.totalBytes);
    }
  }));
});
