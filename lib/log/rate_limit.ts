/** Bounds the log lines about something that a panel or a network can cause at any rate. */
export class LogRateLimit {
  readonly #lines: number;
  readonly #periodMs: number;
  /** When the last lines were allowed, the oldest first. */
  readonly #allowedAtMs: number[] = [];
  #suppressed = 0;

  /** @param options `lines`: lines in any period of `periodMs`; one in a minute by default. */
  constructor({ lines = 1, periodMs = 60_000 }: { lines?: number; periodMs?: number } = {}) {
    this.#lines = lines;
    this.#periodMs = periodMs;
  }

  /** A limit that allows one line, and is never lifted. */
  static once(): LogRateLimit {
    return new LogRateLimit({ periodMs: Infinity });
  }

  /** Lines that were not allowed since the last one that was. */
  get suppressed(): number {
    return this.#suppressed;
  }

  /**
   * Counts a line, and lets it be written if it may; `more` is its end: ` (and 5 more since the last
   * line)`, or nothing.
   */
  write(line: (more: string) => void): void {
    const { suppressed } = this;
    if (!this.allows()) return;
    line(suppressed === 0 ? "" : ` (and ${suppressed} more since the last line)`);
  }

  /** Counts a line; whether it may be written. */
  allows(): boolean {
    const nowMs = performance.now();
    const times = this.#allowedAtMs;
    while (times[0] !== undefined && nowMs - times[0] >= this.#periodMs) times.shift();
    if (times.length >= this.#lines) {
      this.#suppressed++;
      return false;
    }
    times.push(nowMs);
    this.#suppressed = 0;
    return true;
  }
}
