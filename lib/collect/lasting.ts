/** How long a value may stand in for one that can't be measured, in milliseconds. */
const LONGEST_MS = 60_000;

/** A collector whose last value can stand in for a while when it fails. */
export class Lasting<T> {
  readonly #collector: { collect(): T | undefined };
  readonly #monotonicMs: () => number;
  #last: { value: T | undefined; atMs: number } | undefined;

  constructor(
    collector: { collect(): T | undefined },
    options: { monotonicMs: () => number },
  ) {
    this.#collector = collector;
    this.#monotonicMs = options.monotonicMs;
  }

  /** @throws {Error} What the collector throws. */
  collect(): T | undefined {
    const value = this.#collector.collect();
    this.#last = { value, atMs: this.#monotonicMs() };
    return value;
  }

  /** What it last gave; `undefined` when that is more than a minute ago. */
  recall(): T | undefined {
    if (this.#last === undefined) return undefined;
    if (this.#monotonicMs() - this.#last.atMs > LONGEST_MS) this.#last = undefined;
    return this.#last?.value;
  }
}
