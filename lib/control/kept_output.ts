/** The smallest buffer. */
const FIRST_BYTES = 4096;

/** The beginning of what a program said; the rest is counted only. */
export class KeptOutput {
  readonly #limitBytes: number;
  #bytes = new Uint8Array(0);
  #keptBytes = 0;
  #totalBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes that were said in all. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Bytes that are kept. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Takes what was said next; the bytes are copied. */
  add(bytes: Uint8Array): void {
    this.#totalBytes += bytes.length;
    const taken = bytes.subarray(0, this.#limitBytes - this.#keptBytes);
    if (taken.length === 0) return;
    this.#makeRoom(this.#keptBytes + taken.length);
    this.#bytes.set(taken, this.#keptBytes);
    this.#keptBytes += taken.length;
  }

  /**
   * The first bytes as text, at most so many. What is no UTF-8 becomes a replacement character; a
   * character that does not fit is left out as a whole.
   */
  text(limitBytes: number): string {
    const bytes = this.#bytes.subarray(0, Math.min(limitBytes, this.#keptBytes));
    const isCut = bytes.length < this.#totalBytes;
    // A decoder that expects more holds a character's first bytes back.
    return new TextDecoder().decode(bytes, { stream: isCut });
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    const size = Math.max(bytes, FIRST_BYTES, this.#bytes.length * 2);
    const larger = new Uint8Array(Math.min(size, this.#limitBytes));
    larger.set(this.#bytes.subarray(0, this.#keptBytes));
    this.#bytes = larger;
  }
}
