import type { Source } from "../host/host.ts";
import type { CpuTime } from "../types.ts";
import { parseCpuTicks } from "../parse/proc_stat.ts";

const BUSY = ["user", "nice", "system", "irq", "softirq", "steal"] as const;
const STATES = [...BUSY, "idle", "iowait"] as const;

/** In this time some counter moves, on the idlest machine and with the slowest clock. */
const STILL_MS = 2_000;

/** Measures the time of all cores together, from `/proc/stat`. */
export class CpuCollector {
  readonly #stat: Source;
  // One by one instead of their sum: idle and iowait fall on some kernels, steal on some hypervisors,
  // and a counter that falls must not cancel another's increase.
  readonly #busy = BUSY.map((state) => ({ state, counter: new TickCounter() }));
  readonly #idle = new TickCounter();
  readonly #iowait = new TickCounter();
  #time: CpuTime = { busy: 0, all: 0 };
  #missing: Error | undefined;
  /** When the counters were last seen to have moved. */
  #movedAtMs = -Infinity;

  constructor(stat: Source) {
    this.#stat = stat;
  }

  /**
   * Ticks since boot. It keeps the previous value when a core went offline and took its time along,
   * and when the idle time is out of range; {@linkcode CpuCollector.missingPart} says so.
   *
   * @throws {SyntaxError} When the kernel's text is malformed.
   * @throws {Error} When its counters stand still, as some containers' do.
   */
  collect(): CpuTime | undefined {
    const text = this.#stat.read();
    if (text === undefined) return undefined;
    const ticks = parseCpuTicks(text);
    const unknown = STATES.find((state) => ticks[state] === undefined);
    this.#missing = unknown &&
      new Error(`Cannot use stat: the ${unknown} time of the CPU is out of range`);
    // No ratio without it; the next call covers this interval too.
    if (ticks.idle === undefined) return this.#time;
    let busy = 0;
    for (const { state, counter } of this.#busy) busy += Math.max(counter.advance(ticks[state]), 0);
    const waiting = Math.max(this.#iowait.advance(ticks.iowait), 0);
    const idle = this.#idle.advance(ticks.idle);
    // A small decrease is jitter of busy cores; more than the elapsed time is a core that went offline.
    if (busy + waiting + idle < 0) this.#missing ??= new Error("Cannot use stat: CPU times fell");
    const nowMs = performance.now();
    if (busy + waiting + idle !== 0) this.#movedAtMs = nowMs;
    if (nowMs - this.#movedAtMs >= STILL_MS) {
      throw new Error("Cannot use stat: CPU times stand still");
    }
    if (busy + waiting + idle <= 0) return this.#time;
    const all = this.#time.all + busy + waiting + Math.max(idle, 0);
    return this.#time = { busy: this.#time.busy + busy, all };
  }

  /** What was wrong with the times that were read last. */
  missingPart(): Error | undefined {
    return this.#missing;
  }
}

/** One tick counter of the kernel. */
class TickCounter {
  #last = 0;
  #highest = 0;

  /** Ticks since the previous call; negative when the counter fell, 0 when it is unknown. */
  advance(ticks: number | undefined): number {
    if (ticks === undefined) return 0;
    // A core that returns adds the time again that it had when it went offline.
    const from = this.#last < this.#highest && ticks >= this.#highest ? this.#highest : this.#last;
    this.#last = ticks;
    this.#highest = Math.max(this.#highest, ticks);
    return ticks - from;
  }
}
