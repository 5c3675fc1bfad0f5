/**
 * A growing buffer with a limit. Memory is at most twice its bytes, however small the parts.
 *
 * Memory that is no longer needed is freed at once: the engine would keep it until it collects
 * garbage, which an idle program may not do for hours.
 */
export class BoundedBytes {
  readonly #limit: number;
  #buffer = new Uint8Array(0);
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that were added. */
  get length(): number {
    return this.#length;
  }

  /** The bytes: a view, valid until the next call. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Adds bytes up to the limit; `false` when some did not fit. */
  add(part: Uint8Array): boolean {
    const end = Math.min(this.#length + part.length, this.#limit);
    this.#makeRoom(end);
    const taken = end - this.#length;
    this.#buffer.set(taken === part.length ? part : part.subarray(0, taken), this.#length);
    this.#length = end;
    return taken === part.length;
  }

  /** Removes all bytes, and frees their memory. */
  clear(): void {
    this.#length = 0;
    this.#resize(0);
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
