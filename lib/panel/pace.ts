/** For so long after the first failure a report is tried at its usual interval. */
const EAGER_MS = 5 * 60_000;
/** The slowest pace, so that a panel that returns has us back soon. */
const SLOWEST_MS = 30_000;

/** What a pace is made of; time and chance are given, so that it can be tested. */
export interface PaceOptions {
  readonly intervalMs: number;
  /** From 0 up to, but not including, 1. */
  readonly random: () => number;
}

/**
 * Decides when the next try is due.
 *
 * Usually at a fixed rate, so that a slow answer does not stretch the interval; after five minutes
 * of failures slower, doubling up to 30 s, with jitter, so that many agents don't return at once.
 */
export class Pace {
  readonly #options: PaceOptions;
  #dueMs: number;
  #failingSinceMs: number | undefined;
  #stepMs: number;

  constructor(nowMs: number, options: PaceOptions) {
    this.#options = options;
    this.#dueMs = nowMs;
    this.#stepMs = options.intervalMs;
  }

  /** Milliseconds to wait from `nowMs` on, after a try that went well or not. */
  next(nowMs: number, succeeded: boolean): number {
    if (succeeded) {
      this.#failingSinceMs = undefined;
      this.#stepMs = this.#options.intervalMs;
      return this.#nextAtRate(nowMs);
    }
    this.#failingSinceMs ??= nowMs;
    if (nowMs - this.#failingSinceMs < EAGER_MS) return this.#nextAtRate(nowMs);
    const { intervalMs, random } = this.#options;
    this.#stepMs = Math.max(intervalMs, Math.min(this.#stepMs * 2, SLOWEST_MS));
    const delayMs = Math.max(intervalMs, this.#stepMs * (0.5 + random() / 2));
    this.#dueMs = nowMs + delayMs;
    return delayMs;
  }

  /** The next beat that still lies ahead; beats that were missed are dropped. */
  #nextAtRate(nowMs: number): number {
    const { intervalMs } = this.#options;
    const missed = Math.max(0, Math.floor((nowMs - this.#dueMs) / intervalMs));
    this.#dueMs += (missed + 1) * intervalMs;
    return this.#dueMs - nowMs;
  }
}
