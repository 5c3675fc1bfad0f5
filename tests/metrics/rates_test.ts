import { assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Rates } from "../../lib/metrics/rates.ts";
import type { Snapshot } from "../../lib/types.ts";

/** A machine of which samples are taken. */
class Machine {
  #cpuTime = { busy: 0, all: 0 };
  #passed = { sentBytes: 0, receivedBytes: 0, atMs: 0 };

  /** Lets time pass, in which something is done and sent. */
  pass(ms: number, busy: number, bytes: number): this {
    const { sentBytes, receivedBytes, atMs } = this.#passed;
    this.#cpuTime = { busy: this.#cpuTime.busy + busy, all: this.#cpuTime.all + ms + busy };
    this.#passed = {
      ...{ sentBytes: sentBytes + bytes, receivedBytes: receivedBytes + 3 * bytes },
      atMs: atMs + ms,
    };
    return this;
  }

  get sample(): Snapshot {
    return { cpuTime: this.#cpuTime, passed: this.#passed, failures: [] };
  }

  get totals(): number[] {
    const { sentBytes, receivedBytes } = this.#passed;
    return [sentBytes, receivedBytes, this.#cpuTime.busy];
  }
}

Deno.test("Rates: the sum of a panel's rates by their times is what has passed between its reports", () => {
  const work = fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.nat(5_000), fc.nat(1_000_000));
  const step = fc.tuple(work, fc.boolean());
  fc.assert(fc.property(work, fc.array(step, { maxLength: 60 }), (before, steps) => {
    const machine = new Machine().pass(...before);
    const rates = new Rates(machine.sample);
    const sums = machine.totals;
    let last = machine.sample;
    // Another panel's reports, and Prometheus, take nothing of this one's.
    const end: typeof steps[number] = [[1, 1, 1], true];
    for (const [work, isReported] of [...steps, end]) {
      machine.pass(...work);
      if (!isReported) continue;
      const { sample } = machine;
      const seconds = ((sample.passed?.atMs ?? NaN) - (last.passed?.atMs ?? NaN)) / 1000;
      if (seconds === 0) continue;
      const { cpuPercent = NaN, speeds } = rates.report(sample);
      const all = (sample.cpuTime?.all ?? NaN) - (last.cpuTime?.all ?? NaN);
      const { sentBytesPerSecond = NaN, receivedBytesPerSecond = NaN } = speeds ?? {};
      const added = [sentBytesPerSecond * seconds, receivedBytesPerSecond * seconds];
      for (const [at, sum] of [...added, cpuPercent / 100 * all].entries()) {
        sums[at] = (sums[at] ?? NaN) + sum;
      }
      last = sample;
    }
    for (const [at, total] of machine.totals.entries()) {
      assertAlmostEquals(sums[at] ?? NaN, total, 1e-3);
    }
  }));
});

Deno.test("Rates.report() has the use since boot and no speed of the very first sample, and the last rates while no time passes", () => {
  const machine = new Machine().pass(70, 30, 500);
  const rates = new Rates();
  const report = () => {
    const { cpuPercent, speeds } = rates.report(machine.sample);
    return [cpuPercent, speeds?.sentBytesPerSecond];
  };
  assertEquals(rates.latest, undefined);
  assertEquals([report(), rates.latest?.cpuPercent], [[30, undefined], 30]);
  machine.pass(1_000, 1_000, 500);
  assertEquals([report(), report()], [[50, 500], [50, 500]]);
});
