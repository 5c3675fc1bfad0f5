import type { Source } from "../host/host.ts";
import { type CpuState, parseCpuTicks } from "../parse/proc_stat.ts";

const BUSY = ["user", "nice", "system", "irq", "softirq", "steal"] as const;

/** How busy all cores together are, from `/proc/stat`. */
export class CpuCollector {
  readonly #stat: Source;
  // Counter by counter rather than by the sum: idle and iowait fall on some kernels, steal on some
  // hypervisors, and one that fell must not eat another's growth.
  readonly #counters: Readonly<Record<CpuState, TickCounter>> = {
    user: new TickCounter(),
    nice: new TickCounter(),
    system: new TickCounter(),
    idle: new TickCounter(),
    iowait: new TickCounter(),
    irq: new TickCounter(),
    softirq: new TickCounter(),
    steal: new TickCounter(),
  };
  #percent: number | undefined;

  constructor(stat: Source) {
    this.#stat = stat;
  }

  /**
   * Percent, 0 to 100, since the call before; since boot in the first one.
   *
   * When no time went by, when a core took its time with it, or when idle time makes no sense, the
   * last value stays.
   *
   * @throws {SyntaxError} When the kernel's text can't be read.
   */
  collect(): number | undefined {
    const line = this.#stat.readFirstLine();
    if (line === undefined) return undefined;
    const ticks = parseCpuTicks(line);
    // Without it there is no share; the next look covers this one's time too.
    if (ticks.idle === undefined) return this.#percent;
    let busy = 0;
    for (const state of BUSY) busy += Math.max(this.#counters[state].advance(ticks[state]), 0);
    const waiting = Math.max(this.#counters.iowait.advance(ticks.iowait), 0);
    const idle = this.#counters.idle.advance(ticks.idle);
    // A little backwards is jitter of cores that never rest; more than went by is a core that left.
    if (busy + waiting + idle <= 0) return this.#percent;
    // Divided first: a share never exceeds 1, but a product may be rounded to above 100.
    this.#percent = 100 * (busy / (busy + waiting + Math.max(idle, 0)));
    return this.#percent;
  }
}

/** One of the kernel's sums of time. */
class TickCounter {
  #last = 0;
  #highest = 0;

  /** Ticks since the call before; negative when it fell, 0 when it is not known. */
  advance(ticks: number | undefined): number {
    if (ticks === undefined) return 0;
    // A core that comes back brings the time along that was counted before it left.
    const from = this.#last < this.#highest && ticks >= this.#highest ? this.#highest : this.#last;
    this.#last = ticks;
    this.#highest = Math.max(this.#highest, ticks);
    return ticks - from;
  }
}
