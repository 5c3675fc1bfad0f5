import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { CpuCollector } from "../../lib/metrics/cpu.ts";
import { NetworkCollector } from "../../lib/metrics/network.ts";
import { Rates } from "../../lib/metrics/rates.ts";
import { Sampler } from "../../lib/metrics/snapshot.ts";
import { toWireReport } from "../../lib/panel/protocol.ts";
import type { Report } from "../../lib/types.ts";
import { FakeTime } from "../fake_time.ts";
import { testsWith } from "../tests_with.ts";
import { fakeRow } from "./fake_collectors.ts";

/** A machine under a fake clock that is sampled for several panels. */
class World implements Disposable {
  readonly time = new FakeTime();
  readonly sampler: Sampler;
  busyTicks = 0;
  idleTicks = 0;
  sentBytes = 0;

  constructor(sharedAgeMs = 0) {
    const cpu = new CpuCollector({
      read: () => `cpu  ${this.busyTicks} 0 0 ${this.idleTicks} 0 0 0 0`,
    });
    const zeros = " 0".repeat(7);
    const network = new NetworkCollector(
      { read: () => `eth0: ${3 * this.sentBytes}${zeros} ${this.sentBytes}${zeros}\n` },
      () => undefined,
      { globs: { include: ["eth0"], exclude: [] } },
    );
    this.sampler = new Sampler([
      fakeRow("CPU use", {}, { collect: () => ({ cpuTime: cpu.collect() }) }),
      fakeRow("network traffic", {}, {
        collect: () => ({ traffic: network.collect(), passed: network.passed }),
      }),
    ], sharedAgeMs);
    this.sampler.sample();
  }

  /** Lets time pass, in which something is done and sent. */
  pass(ms: number, busyTicks = 0, bytes = 0): void {
    this.time.tick(ms);
    this.busyTicks += busyTicks;
    this.idleTicks += ms;
    this.sentBytes += bytes;
  }

  /** A panel from now on. */
  rates(): Rates {
    return new Rates(this.sampler.latest?.snapshot);
  }

  /** CPU and bytes sent in a second, in the next report of a panel. */
  report(rates: Rates): [cpu: number | undefined, speed: number | undefined] {
    const { cpuPercent, speeds } = rates.report(this.sampler.take());
    return [cpuPercent, speeds?.sentBytesPerSecond];
  }

  [Symbol.dispose](): void {
    this.time[Symbol.dispose]();
  }
}

const inWorld = testsWith(() => new World());

/** The sums of a panel's rates by their times, and what its totals have grown by. */
class Panel {
  readonly sums = [0, 0, 0];
  readonly grown = [0, 0, 0];
  nextMs: number;
  #before: Report;
  readonly #rates: Rates;

  constructor(readonly intervalMs: number, readonly world: World) {
    this.nextMs = intervalMs;
    this.#rates = world.rates();
    this.#before = this.#rates.report(world.sampler.take());
  }

  report(): void {
    const [now, before] = [this.#rates.report(this.world.sampler.take()), this.#before];
    this.#before = now;
    const grew = (of: (report: Report) => number | undefined) =>
      (of(now) ?? NaN) - (of(before) ?? NaN);
    const ms = grew(({ passed }) => passed?.atMs);
    const { sentBytesPerSecond = 0, receivedBytesPerSecond = 0 } = now.speeds ?? {};
    const steps = [
      [sentBytesPerSecond * ms / 1000, grew(({ traffic }) => traffic?.sentBytes)],
      [receivedBytesPerSecond * ms / 1000, grew(({ traffic }) => traffic?.receivedBytes)],
      [
        (now.cpuPercent ?? NaN) / 100 * grew(({ cpuTime }) => cpuTime?.all),
        grew(({ cpuTime }) => cpuTime?.busy),
      ],
    ];
    for (const [at, [sum = NaN, grown = NaN]] of steps.entries()) {
      this.sums[at] = (this.sums[at] ?? NaN) + sum;
      this.grown[at] = (this.grown[at] ?? NaN) + grown;
    }
    const { usage } = toWireReport(now).cpu;
    assert(usage >= 0.001 && usage <= 100);
  }
}

Deno.test("Rates: the sum of each panel's speeds by their times is what its totals grew by", () => {
  const intervals = fc.array(fc.integer({ min: 200, max: 10_000 }), { minLength: 1, maxLength: 5 });
  const work = fc.tuple(fc.integer({ min: 1, max: 3_000 }), fc.nat(5_000), fc.nat(1_000_000));
  const works = fc.array(work, { minLength: 1, maxLength: 60 });
  fc.assert(fc.property(intervals, works, fc.boolean(), (intervalsMs, works, isShared) => {
    using world = new World(isShared ? Math.min(...intervalsMs) / 2 : 0);
    const panels = intervalsMs.map((ms) => new Panel(ms, world));
    for (const work of works) {
      world.pass(...work);
      for (const panel of panels) {
        if (performance.now() < panel.nextMs) continue;
        panel.nextMs = performance.now() + panel.intervalMs;
        panel.report();
      }
      // Prometheus looks, too, and takes nothing of any panel's rates.
      world.sampler.sample();
    }
    for (const { sums, grown } of panels) {
      for (const [at, sum] of sums.entries()) assertAlmostEquals(sum, grown[at] ?? NaN, 1e-3);
    }
  }));
});

inWorld.test("Rates.report() has the use since boot and no speed where it is the very first sample", (world) => {
  world.pass(0, 30);
  world.idleTicks = 70;
  world.sampler.sample();
  const rates = world.rates();
  assertEquals(rates.latest, undefined);
  assertEquals([world.report(rates), rates.latest?.cpuPercent], [[30, undefined], 30]);
  const late = world.rates();
  world.pass(1_000, 1_000, 500);
  assertEquals(world.report(late), [50, 500], "a later one");
});
