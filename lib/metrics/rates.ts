import type { CpuTime, Report, Snapshot, Speeds, TimedBytes } from "../types.ts";

/**
 * The rates of one panel: each is over the time since the panel's own previous report, however many
 * others share the samples. So the sum of all speeds by their times is what has passed.
 */
export class Rates {
  #cpuTime: CpuTime = { busy: 0, all: 0 };
  #cpuPercent: number | undefined;
  #passed: TimedBytes | undefined;
  #speeds: Speeds | undefined;
  #latest: Pick<Report, "cpuPercent" | "speeds"> | undefined;

  /** @param start The sample from which the first report's rates are, unless it is that very one. */
  constructor(start?: Snapshot) {
    if (start === undefined) return;
    this.#advanceCpu(start.cpuTime);
    this.#advanceSpeeds(start.passed);
  }

  /** The report of a sample. A rate stays as it was when no time has passed. */
  report(snapshot: Snapshot): Report {
    this.#latest = {
      cpuPercent: this.#advanceCpu(snapshot.cpuTime),
      speeds: this.#advanceSpeeds(snapshot.passed),
    };
    return { ...snapshot, ...this.#latest };
  }

  /** The rates of the last report; `undefined` before the first. */
  get latest(): Pick<Report, "cpuPercent" | "speeds"> | undefined {
    return this.#latest;
  }

  #advanceCpu(now: CpuTime | undefined): number | undefined {
    if (now === undefined) return undefined;
    const all = now.all - this.#cpuTime.all;
    if (all <= 0) return this.#cpuPercent;
    // Sums that are rounded may differ by more than the time in all.
    this.#cpuPercent = 100 * Math.min((now.busy - this.#cpuTime.busy) / all, 1);
    this.#cpuTime = now;
    return this.#cpuPercent;
  }

  #advanceSpeeds(now: TimedBytes | undefined): Speeds | undefined {
    if (now === undefined) return undefined;
    const before = this.#passed;
    const elapsedMs = before === undefined ? 0 : now.atMs - before.atMs;
    if (before !== undefined && elapsedMs === 0) return this.#speeds;
    this.#passed = now;
    if (before === undefined) return this.#speeds;
    return this.#speeds = {
      sentBytesPerSecond: (now.sentBytes - before.sentBytes) * 1000 / elapsedMs,
      receivedBytesPerSecond: (now.receivedBytes - before.receivedBytes) * 1000 / elapsedMs,
    };
  }
}
