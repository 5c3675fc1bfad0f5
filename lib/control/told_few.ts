/** What may be told how often. */
export interface ToldFewOptions {
  /** So many in {@linkcode ToldFewOptions.everyMs}. */
  readonly most: number;
  readonly everyMs: number;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
}

/** Counts what is told one by one, so that a flood of it does not become one of the log. */
export class ToldFew {
  readonly #options: ToldFewOptions;
  #sinceMs = -Infinity;
  #count = 0;

  constructor(options: ToldFewOptions) {
    this.#options = options;
  }

  /** Whether the next is to be told: `too many` for the first of which it is not, `no` for the rest. */
  next(): "yes" | "too many" | "no" {
    const { most, everyMs } = this.#options;
    const nowMs = this.#options.monotonicMs();
    if (nowMs - this.#sinceMs >= everyMs) {
      this.#sinceMs = nowMs;
      this.#count = 0;
    }
    this.#count++;
    if (this.#count <= most) return "yes";
    return this.#count === most + 1 ? "too many" : "no";
  }
}
