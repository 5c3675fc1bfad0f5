import type { CoreTimes, DarwinHost } from "../host/host_darwin.ts";

const BUSY = ["user", "nice", "sys", "irq"] as const;

/** Measures the utilization of all cores of a Mac together, from `os.cpus()` of `node:os`. */
export class DarwinCpuCollector {
  readonly #host: Pick<DarwinHost, "cores">;
  #previous: readonly CoreTimes[] = [];
  #percent: number | undefined;

  constructor(host: Pick<DarwinHost, "cores">) {
    this.#host = host;
  }

  /**
   * Percent, 0 to 100, since the previous call; since boot in the first one.
   *
   * Cores are counted separately, because each core's counters wrap on their own, within 500 days.
   * Keeps the previous value when no time has passed.
   */
  collect(): number | undefined {
    const cores = this.#host.cores();
    let busy = 0;
    let idle = 0;
    cores.forEach((now, index) => {
      const before = this.#previous[index];
      for (const name of BUSY) busy += Math.max(now[name] - (before?.[name] ?? 0), 0);
      idle += Math.max(now.idle - (before?.idle ?? 0), 0);
    });
    this.#previous = cores;
    if (busy + idle > 0) this.#percent = 100 * (busy / (busy + idle));
    return this.#percent;
  }
}
