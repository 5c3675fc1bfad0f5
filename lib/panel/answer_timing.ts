/**
 * Which reports ask for an answer, and how long it may take.
 *
 * @module
 */

/** Time after which a report by WebSocket asks for an answer again. */
export const ANSWER_INTERVAL_MS = 5_000;
/** Part of the interval that a timer may be late. */
const TOLERANCE = 0.1;

/**
 * Decides which reports by WebSocket ask the panel for an answer.
 *
 * An answer costs the agent as much as a fifth of a report, and the panel as well, so at intervals
 * below 3 s not every report asks for one. An answer shows that the connection is alive and that the
 * panel takes the reports, those before it included.
 */
export class AnswerRequests {
  #askedAtMs = -Infinity;

  /** Whether the report at `nowMs` has to ask, since the next one would be too late; counts it then. */
  isDue(nowMs: number, { intervalMs }: { intervalMs: number }): boolean {
    const nextMs = nowMs + intervalMs * (1 - TOLERANCE);
    if (nextMs - this.#askedAtMs < ANSWER_INTERVAL_MS) return false;
    this.#askedAtMs = nowMs;
    return true;
  }

  /** Makes the next report ask. */
  reset(): void {
    this.#askedAtMs = -Infinity;
  }
}

/** Round trips that are remembered. */
const SAMPLES = 8;
const SHORTEST_MS = 5_000;
const LONGEST_MS = 20_000;
/** Used until a round trip was seen. */
const INITIAL_MS = 10_000;
/** The timeout as a multiple of the slowest remembered round trip. */
const FACTOR = 4;

/**
 * Computes the time without an answer after which a connection counts as dead.
 *
 * It follows the interval of reports and the round trips seen, from 5 s to 20 s: short, so that a dead
 * connection is replaced before the panel shows the node as offline, and long enough for slow panels.
 */
export class AnswerTimeout {
  readonly #roundTripsMs: number[] = [];
  /** Timeouts since the last answer. */
  #timeouts = 0;

  /** Records that there was no answer in time. */
  recordTimeout(): void {
    this.#timeouts++;
  }

  /** Records the time between a report and its answer. */
  record(roundTripMs: number): void {
    this.#timeouts = 0;
    this.#roundTripsMs.push(roundTripMs);
    if (this.#roundTripsMs.length > SAMPLES) this.#roundTripsMs.shift();
  }

  /** The timeout in milliseconds, for reports that are sent every `intervalMs`. */
  get(intervalMs: number): number {
    if (this.#roundTripsMs.length === 0) return INITIAL_MS;
    const neededMs = Math.max(SHORTEST_MS, intervalMs, FACTOR * Math.max(...this.#roundTripsMs));
    // After the first one the connection was dead; after more, the panel may have become slow.
    const doubled = neededMs * 2 ** Math.max(0, this.#timeouts - 1);
    return Math.round(Math.min(doubled, LONGEST_MS));
  }
}
