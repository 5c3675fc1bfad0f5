import type { Source } from "../host/host.ts";
import type { CpuTime } from "../types.ts";
import { type CpuTicks, parseCpuTicks } from "../parse/proc_stat.ts";

const BUSY = ["user", "nice", "system", "irq", "softirq", "steal"] as const;

/** In this time some counter moves, on the idlest machine and with the slowest clock. */
const STILL_MS = 2_000;

/** Measures the time of all cores together, from `/proc/stat`. */
export class CpuCollector {
  readonly #stat: Source;
  // One by one instead of their sum: idle and iowait fall on some kernels, steal on some hypervisors,
  // and a counter that falls must not cancel another's increase.
  #last: CpuTicks | undefined;
  #time: CpuTime = { busy: 0, all: 0 };
  #missing: Error | undefined;
  /** When the counters were last seen to have moved. */
  #movedAtMs = -Infinity;

  constructor(stat: Source) {
    this.#stat = stat;
  }

  /**
   * Ticks since boot. It keeps the previous value when a core went offline and took its time along;
   * {@linkcode CpuCollector.missingPart} says so.
   *
   * @throws {SyntaxError} When the kernel's text is malformed.
   * @throws {Error} When its counters stand still, as some containers' do.
   */
  collect(): CpuTime | undefined {
    const text = this.#stat.read();
    if (text === undefined) return undefined;
    const ticks = parseCpuTicks(text);
    const last = this.#last;
    this.#last = ticks;
    const since = (state: keyof CpuTicks) => ticks[state] - (last?.[state] ?? 0);
    let busy = 0;
    for (const state of BUSY) busy += Math.max(since(state), 0);
    const waiting = Math.max(since("iowait"), 0);
    const idle = since("idle");
    // A small decrease is jitter of busy cores; more than the elapsed time is a core that went offline.
    this.#missing = busy + waiting + idle < 0
      ? new Error("Cannot use stat: CPU times fell")
      : undefined;
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
