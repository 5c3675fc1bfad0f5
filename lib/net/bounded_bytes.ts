/** A buffer of this size is worth keeping for the next bytes. */
const KEPT_BYTES = 4096;

/**
 * Bytes gathered bit by bit, up to a limit; however small the bits, they cost no more than the sum.
 *
 * Memory that is no longer needed is given back at once: the engine would keep it until it collects,
 * which a program that does little may not do for hours.
 */
export class BoundedBytes {
  readonly #limit: number;
  #buffer = new Uint8Array(0);
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many there are. */
  get length(): number {
    return this.#length;
  }

  /** What there is: a view, good until the next call. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Adds what fits below the limit; whether that was all. */
  add(part: Uint8Array): boolean {
    const end = Math.min(this.#length + part.length, this.#limit);
    this.#makeRoom(end);
    const taken = end - this.#length;
    this.#buffer.set(taken === part.length ? part : part.subarray(0, taken), this.#length);
    this.#length = end;
    return taken === part.length;
  }

  /** Forgets them all. */
  clear(): void {
    this.#length = 0;
    if (this.#buffer.length > KEPT_BYTES) this.#resize(0);
  }

  #makeRoom(length: number): void {
    if (length <= this.#buffer.length) return;
    const doubled = Math.max(length, 2 * this.#buffer.length, 256);
    this.#resize(Math.min(doubled, this.#limit));
  }

  #resize(length: number): void {
    this.#buffer = new Uint8Array(this.#buffer.buffer.transfer(length));
  }
}
