import { BoundedBytes } from "./bounded_bytes.ts";

/** Bytes that are kept of each end of what is too long. */
const EDGE_BYTES = 4096;

/** What is left of bytes that were too many: enough to tell what they are. */
export interface Abridged {
  readonly head: Uint8Array<ArrayBuffer>;
  readonly tail: Uint8Array<ArrayBuffer>;
  /** How many there were. */
  readonly lengthBytes: number;
}

/** Bytes up to a limit; of more than that only both ends are kept, at most 4 KiB each. */
export class AbridgedBytes {
  readonly #limit: number;
  readonly #whole: BoundedBytes;
  #head: Uint8Array<ArrayBuffer> | undefined;
  #tail = new Uint8Array(0);
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#whole = new BoundedBytes(limit);
  }

  /** Bytes that were added. */
  get length(): number {
    return this.#length;
  }

  /** All bytes, if they were not too many: a view, valid until the next call. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#whole.bytes;
  }

  /** What is left of them, if they were too many. */
  get abridged(): Abridged | undefined {
    if (this.#head === undefined) return undefined;
    return { head: this.#head, tail: this.#tail, lengthBytes: this.#length };
  }

  /** Adds bytes, which are copied. */
  add(part: Uint8Array<ArrayBuffer>): void {
    this.#length += part.length;
    if (this.#length <= this.#limit) {
      this.#whole.add(part);
      return;
    }
    if (this.#head === undefined) {
      this.#head = joined(this.#whole.bytes.subarray(0, EDGE_BYTES), part).slice(0, EDGE_BYTES);
      this.#tail = this.#whole.bytes.slice(-EDGE_BYTES);
      this.#whole.clear();
    }
    this.#tail = joined(this.#tail, part.subarray(-EDGE_BYTES)).slice(-EDGE_BYTES);
  }

  /** Removes all bytes, and frees their memory. */
  clear(): void {
    this.#whole.clear();
    this.#head = undefined;
    this.#tail = new Uint8Array(0);
    this.#length = 0;
  }
}

function joined(
  first: Uint8Array<ArrayBuffer>,
  second: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
