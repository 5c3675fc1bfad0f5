/** Messages that a panel may send in a second, in the long run. */
const MESSAGES_PER_SECOND = 50;
/** Messages that it may send at once: hundreds of commands, with one probe for each of its tasks. */
const BURST = 1000;

/** Bounds how many messages of a panel are handled, as a token bucket. */
export class MessageLimit {
  #tokens = BURST;
  #refilledAtMs = performance.now();

  /** Counts a message; `false` when it has to be dropped. */
  allows(): boolean {
    const nowMs = performance.now();
    const refill = (nowMs - this.#refilledAtMs) / 1000 * MESSAGES_PER_SECOND;
    this.#refilledAtMs = nowMs;
    this.#tokens = Math.min(this.#tokens + refill, BURST);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
