/**
 * Output of a terminal that may have to be sent again: what the panel has not confirmed, up to a limit.
 *
 * Its places are counted in bytes from the start of the terminal.
 */
export class UnconfirmedOutput {
  readonly #limitBytes: number;
  #bytes = new Uint8Array(0);
  #end = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The end of all output so far. */
  get end(): number {
    return this.#end;
  }

  /** The start of what is kept. */
  get start(): number {
    return this.#end - this.#bytes.length;
  }

  /** Adds bytes, which are copied; the oldest ones are forgotten for them. */
  add(bytes: Uint8Array): void {
    const added = bytes.subarray(Math.max(0, bytes.length - this.#limitBytes));
    const keptBytes = Math.min(this.#bytes.length, this.#limitBytes - added.length);
    const joined = new Uint8Array(keptBytes + added.length);
    joined.set(this.#bytes.subarray(this.#bytes.length - keptBytes));
    joined.set(added, keptBytes);
    this.#bytes = joined;
    this.#end += bytes.length;
  }

  /** Gives what is kept from a place on: views that stay as they are. */
  from(place: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(Math.max(0, place - this.start));
  }

  /** Gives the first place from which on a new connection shows whole characters. */
  get firstCharacter(): number {
    const index = this.#bytes.findIndex((byte) => (byte & 0xC0) !== 0x80);
    return this.start + Math.max(0, Math.min(index, 3));
  }

  /** Forgets what lies before a place. */
  confirm(place: number): void {
    // A copy: a view of a few bytes would keep all of them.
    if (place > this.start) this.#bytes = this.from(place).slice();
  }
}
