/** Number of lines allowed per period. */
export interface LogRateLimitOptions {
  /** Lines in any period. */
  readonly lines: number;
  /** Length of a period; `Infinity` for a limit that is never lifted. */
  readonly periodMs: number;
}

/** Bounds the log lines about something that a panel or a network can cause at any rate. */
export class LogRateLimit {
  readonly #options: LogRateLimitOptions;
  /** When the last lines were allowed, the oldest first. */
  readonly #allowedAtMs: number[] = [];
  #suppressed = 0;

  constructor(options: LogRateLimitOptions) {
    this.#options = options;
  }

  /** Lines that were not allowed since {@linkcode LogRateLimit.takeSuppressed} was called. */
  get suppressed(): number {
    return this.#suppressed;
  }

  /** Counts a line; whether it may be written. */
  allows(): boolean {
    const { lines, periodMs } = this.#options;
    const nowMs = performance.now();
    const times = this.#allowedAtMs;
    while (times[0] !== undefined && nowMs - times[0] >= periodMs) times.shift();
    if (times.length < lines) {
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
