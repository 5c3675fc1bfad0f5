import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { CoreTimes } from "../../lib/host/host_darwin.ts";
import { DarwinCpuCollector } from "../../lib/metrics/machine_darwin.ts";
import { ratedCpu } from "./rated.ts";

function core(user: number, idle: number, rest: Partial<CoreTimes> = {}): CoreTimes {
  return { user, nice: 0, sys: 0, idle, irq: 0, ...rest };
}

/** Shows one list of cores after the other, the last one for ever. */
function cpuOf(...looks: CoreTimes[][]): () => number | undefined {
  let next = 0;
  return ratedCpu(
    new DarwinCpuCollector({ cores: () => looks[Math.min(next++, looks.length - 1)] ?? [] }),
  );
}

Deno.test("DarwinCpuCollector.collect() counts since boot, then since the previous call", () => {
  const cpu = cpuOf(
    [core(10, 90), core(30, 70)],
    [core(60, 90, { sys: 25, nice: 25 }), core(30, 170)],
  );
  assertEquals(cpu(), 20);
  assertEquals(cpu(), 50);
});

Deno.test("DarwinCpuCollector.collect() counts all as busy that is not idle", () => {
  for (const name of ["user", "nice", "sys", "irq"]) {
    assertEquals(cpuOf([core(0, 75, { [name]: 25 })])(), 25, name);
  }
});

Deno.test("DarwinCpuCollector.collect() keeps the last value when no time has passed", () => {
  const cpu = cpuOf([core(25, 75)]);
  assertEquals(cpu(), 25);
  assertEquals(cpu(), 25);
});

Deno.test("DarwinCpuCollector.collect() lets a core's counter wrap independently", () => {
  const cpu = cpuOf(
    [core(4_294_967_290, 100), core(100, 100)],
    [core(5, 200), core(150, 150)],
  );
  cpu();
  assertAlmostEquals(cpu() ?? 0, 25);
});

Deno.test("DarwinCpuCollector.collect() returns undefined without cores", () => {
  assertEquals(cpuOf([])(), undefined);
});

Deno.test("DarwinCpuCollector.collect() stays between 0 and 100 for any counters", () => {
  const count = fc.maxSafeNat();
  const cores = fc.array(
    fc.record({ user: count, nice: count, sys: count, idle: count, irq: count }),
    { maxLength: 4 },
  );
  fc.assert(fc.property(fc.array(cores, { maxLength: 6 }), (looks) => {
    const cpu = cpuOf(...looks);
    for (const _ of looks) {
      const percent = cpu();
      assert(percent === undefined || (percent >= 0 && percent <= 100));
    }
  }));
});
