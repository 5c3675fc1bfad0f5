import type { CpuTime } from "../types.ts";
import type { CoreTimes, DarwinHost } from "../host/host_darwin.ts";

const BUSY = ["user", "nice", "sys", "irq"] as const;

/** Measures the time of all cores of a Mac together, from `os.cpus()` of `node:os`. */
export class DarwinCpuCollector {
  readonly #host: Pick<DarwinHost, "cores">;
  #previous: readonly CoreTimes[] = [];
  #time: CpuTime = { busy: 0, all: 0 };

  constructor(host: Pick<DarwinHost, "cores">) {
    this.#host = host;
  }

  /**
   * Milliseconds since boot.
   *
   * Cores are counted separately, because each core's counters wrap on their own, within 500 days.
   */
  collect(): CpuTime {
    const cores = this.#host.cores();
    let busy = 0;
    let idle = 0;
    cores.forEach((now, index) => {
      const before = this.#previous[index];
      for (const name of BUSY) busy += Math.max(now[name] - (before?.[name] ?? 0), 0);
      idle += Math.max(now.idle - (before?.idle ?? 0), 0);
    });
    this.#previous = cores;
    return this.#time = { busy: this.#time.busy + busy, all: this.#time.all + busy + idle };
  }
}
