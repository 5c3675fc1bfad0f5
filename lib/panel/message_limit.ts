/** Messages that a panel may send in a second, in the long run. */
const MESSAGES_PER_SECOND = 50;
/** Messages that it may send at once: hundreds of commands, with one probe for each of its tasks. */
const BURST = 1000;
/** A longer message counts as several: it costs more to read. */
const BYTES_OF_ONE = 4096;
/** What is longer counts for less from here on: it is a long order, or skipped. */
const LONG_BYTES = 64 * 1024;
const BYTES_OF_ONE_LONG = 64 * 1024;
/** Messages that are read after a pause. */
const READ_AFTER_PAUSE = 50;
/** A panel that goes on above the limit for so long is disconnected. */
const PATIENCE_MS = 10_000;

/**
 * Bounds how many messages of a panel are read, as a token bucket. Whatever comes counts: messages,
 * their fragments, pings and pongs, and the answers to calls by POST.
 */
export class MessageLimit {
  #tokens = BURST;
  #refilledAtMs = performance.now();
  #exceededSinceMs: number | undefined;

  /** Counts a message of so many bytes; the time until the next one may be read, in milliseconds. */
  take(bytes = 0): number {
    const nowMs = performance.now();
    const refill = (nowMs - this.#refilledAtMs) / 1000 * MESSAGES_PER_SECOND;
    this.#refilledAtMs = nowMs;
    this.#tokens = Math.min(this.#tokens + refill, BURST);
    // More than a pause brings, even a late one: the panel has stopped meanwhile.
    if (this.#tokens > 2 * READ_AFTER_PAUSE) this.#exceededSinceMs = undefined;
    this.#tokens -= 1 + Math.floor(Math.min(bytes, LONG_BYTES) / BYTES_OF_ONE) +
      Math.floor(Math.max(0, bytes - LONG_BYTES) / BYTES_OF_ONE_LONG);
    if (this.#tokens >= 0) return 0;
    this.#exceededSinceMs ??= nowMs;
    return (READ_AFTER_PAUSE - this.#tokens) / MESSAGES_PER_SECOND * 1000;
  }

  /** Uncounts a message that the agent has asked for, or that remote control has carried out. */
  giveBack(): void {
    this.#tokens++;
  }

  /** Whether the panel is above the limit now. */
  get isExceeded(): boolean {
    return this.#exceededSinceMs !== undefined;
  }

  /** Whether it has gone on above the limit for 10 s. */
  get isFlooded(): boolean {
    const sinceMs = this.#exceededSinceMs ?? Infinity;
    return performance.now() - sinceMs >= PATIENCE_MS;
  }
}
