import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { CpuCollector } from "../../lib/metrics/cpu.ts";
import { NetworkCollector } from "../../lib/metrics/network.ts";
import { Rates } from "../../lib/metrics/rates.ts";
import { Sampler } from "../../lib/metrics/snapshot.ts";
import { toWireReport } from "../../lib/panel/protocol.ts";
import type { CpuTime, Report } from "../../lib/types.ts";
import { FakeTime } from "../fake_time.ts";

/** A machine under a fake clock that is sampled for several panels. */
class World implements Disposable {
  readonly time = new FakeTime();
  readonly sampler: Sampler;
  busyTicks = 0;
  idleTicks = 0;
  sentBytes = 0;

  constructor(sharedAgeMs: number) {
    const cpu = new CpuCollector({ read: () => `cpu  ${this.busyTicks} 0 0 ${this.idleTicks}` });
    const network = new NetworkCollector(
      { read: () => `eth0: ${3 * this.sentBytes} 0 0 0 0 0 0 0 ${this.sentBytes} 0 0 0 0 0 0 0\n` },
      () => undefined,
      { globs: { include: ["eth0"], exclude: [] } },
    );
    this.sampler = new Sampler([
      { subject: "CPU use", collect: () => ({ cpuTime: cpu.collect() }), sources: () => ({}) },
      {
        subject: "network traffic",
        collect: () => ({ traffic: network.collect(), passed: network.passed }),
        sources: () => ({}),
      },
    ], sharedAgeMs);
    this.sampler.sample();
  }

  /** Lets time pass, in which something is done and sent. */
  pass(ms: number, { busyTicks, bytes }: { busyTicks: number; bytes: number }): void {
    this.time.tick(ms);
    this.busyTicks += busyTicks;
    this.idleTicks += ms;
    this.sentBytes += bytes;
  }

  [Symbol.dispose](): void {
    this.time[Symbol.dispose]();
  }
}

/** What a panel adds up of its reports. */
class Panel {
  readonly rates: Rates;
  readonly intervalMs: number;
  nextMs: number;
  #before: Report | undefined;
  readonly sums = { sentBytes: 0, receivedBytes: 0, busyTicks: 0 };
  readonly grown = { sentBytes: 0, receivedBytes: 0, busyTicks: 0 };

  constructor(intervalMs: number, sampler: Sampler) {
    this.intervalMs = intervalMs;
    this.nextMs = intervalMs;
    this.rates = new Rates(sampler.latest?.snapshot);
    this.#before = this.rates.report(sampler.take());
  }

  report(sampler: Sampler): void {
    const before = this.#before;
    const now = this.rates.report(sampler.take());
    this.#before = now;
    const ms = (now.passed?.atMs ?? NaN) - (before?.passed?.atMs ?? NaN);
    const ticks = ticksBetween(before?.cpuTime, now.cpuTime);
    for (const [way, speed] of Object.entries(now.speeds ?? {})) {
      const name = way === "sentBytesPerSecond" ? "sentBytes" : "receivedBytes";
      this.sums[name] += speed * ms / 1000;
      this.grown[name] += (now.traffic?.[name] ?? NaN) - (before?.traffic?.[name] ?? NaN);
    }
    this.sums.busyTicks += (now.cpuPercent ?? NaN) / 100 * ticks.all;
    this.grown.busyTicks += ticks.busy;
    const { usage } = toWireReport(now).cpu;
    assert(usage >= 0.001 && usage <= 100);
  }
}

function ticksBetween(before: CpuTime | undefined, now: CpuTime | undefined): CpuTime {
  return {
    busy: (now?.busy ?? NaN) - (before?.busy ?? NaN),
    all: (now?.all ?? NaN) - (before?.all ?? NaN),
  };
}

Deno.test("Rates: the sum of each panel's speeds by their times is what its totals grew by", () => {
  const intervals = fc.array(fc.integer({ min: 200, max: 10_000 }), { minLength: 1, maxLength: 5 });
  const works = fc.array(
    fc.record({
      ms: fc.integer({ min: 1, max: 3_000 }),
      busyTicks: fc.nat({ max: 5_000 }),
      bytes: fc.nat({ max: 1_000_000 }),
    }),
    { minLength: 1, maxLength: 60 },
  );
  fc.assert(fc.property(intervals, works, fc.boolean(), (intervalsMs, work, isShared) => {
    using world = new World(isShared ? Math.min(...intervalsMs) / 2 : 0);
    const { sampler } = world;
    const panels = intervalsMs.map((ms) => new Panel(ms, sampler));
    for (const { ms, ...done } of work) {
      world.pass(ms, done);
      for (const panel of panels) {
        if (performance.now() < panel.nextMs) continue;
        panel.nextMs = performance.now() + panel.intervalMs;
        panel.report(sampler);
      }
      // Prometheus looks, too, and takes nothing of any panel's rates.
      sampler.sample();
    }
    for (const { sums, grown } of panels) {
      for (const name of ["sentBytes", "receivedBytes", "busyTicks"] as const) {
        assertAlmostEquals(sums[name], grown[name], 1e-3, name);
      }
    }
  }));
});

Deno.test("Rates.report() is over a panel's own interval beside one that reports more often", () => {
  using world = new World(500);
  const { sampler } = world;
  const [slow, fast] = [0, 0].map(() => new Rates(sampler.latest?.snapshot));
  sampler.take();
  for (let second = 1; second <= 10; second++) {
    // All that happens is in the last second but one.
    const isBusy = second === 9;
    world.pass(1_000, { busyTicks: isBusy ? 1_000 : 0, bytes: isBusy ? 5_000 : 0 });
    const report = fast?.report(sampler.take());
    const found = [report?.cpuPercent, report?.speeds?.sentBytesPerSecond];
    assertEquals(found, isBusy ? [50, 5_000] : [0, 0]);
  }
  const report = slow?.report(sampler.take());
  assertAlmostEquals(report?.cpuPercent ?? NaN, 100 / 11);
  assertEquals(report?.speeds, { sentBytesPerSecond: 500, receivedBytesPerSecond: 1_500 });
});

Deno.test("Rates.report() has the use since boot and no speed where it is the very first sample", () => {
  using world = new World(0);
  world.busyTicks = 30;
  world.idleTicks = 70;
  world.sampler.sample();
  const rates = new Rates(world.sampler.latest?.snapshot);
  const { cpuPercent, speeds } = rates.report(world.sampler.take());
  assertEquals([cpuPercent, speeds], [30, undefined]);
  const late = new Rates(world.sampler.latest?.snapshot);
  world.pass(1_000, { busyTicks: 1_000, bytes: 500 });
  const first = late.report(world.sampler.take());
  assertEquals([first.cpuPercent, first.speeds?.sentBytesPerSecond], [50, 500], "a later one");
});

Deno.test("Rates.report() goes on from before a gap in the samples, and names nothing meanwhile", () => {
  const rates = new Rates();
  const at = (atMs: number, busy: number) =>
    rates.report({
      cpuTime: { busy, all: atMs },
      passed: { atMs, sentBytes: busy, receivedBytes: busy },
      failures: [],
    });
  at(1_000, 100);
  const { cpuPercent, speeds } = rates.report({ failures: ["cannot measure CPU use"] });
  assertEquals([cpuPercent, speeds], [undefined, undefined]);
  const after = at(3_000, 1_100);
  assertEquals([after.cpuPercent, after.speeds?.sentBytesPerSecond], [50, 500]);
});

Deno.test("Rates.latest gives the rates of the last report", () => {
  const rates = new Rates();
  assertEquals(rates.latest, undefined);
  rates.report({ cpuTime: { busy: 1, all: 4 }, failures: [] });
  assertEquals(rates.latest, { cpuPercent: 25, speeds: undefined });
});
