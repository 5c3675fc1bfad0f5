/** Bounds the log lines about something that a panel or a network can cause at any rate. */
export class LogRateLimit {
  readonly #lines: number;
  readonly #periodMs: number;
  /** When the last lines were allowed, the oldest first. */
  readonly #allowedAtMs: number[] = [];
  #suppressed = 0;

  /**
   * @param options `lines`: lines in any period; `periodMs`: its length, `Infinity` for a limit that is
   * never lifted.
   */
  constructor({ lines, periodMs }: { lines: number; periodMs: number }) {
    this.#lines = lines;
    this.#periodMs = periodMs;
  }

  /** Lines that were not allowed since {@linkcode LogRateLimit.takeSuppressed} was called. */
  get suppressed(): number {
    return this.#suppressed;
  }

  /** Counts a line; whether it may be written. */
  allows(): boolean {
    const nowMs = performance.now();
    const times = this.#allowedAtMs;
    while (times[0] !== undefined && nowMs - times[0] >= this.#periodMs) times.shift();
    if (times.length < this.#lines) {
      times.push(nowMs);
      return true;
    }
    this.#suppressed++;
    return false;
  }

  /** The end of the next line: ` (and 5 more since the last line)`, or nothing. */
  takeSuppressed(): string {
    const count = this.#suppressed;
    this.#suppressed = 0;
    return count === 0 ? "" : ` (and ${count} more since the last line)`;
  }
}
