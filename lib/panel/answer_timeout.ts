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
