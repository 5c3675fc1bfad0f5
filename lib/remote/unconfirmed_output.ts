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
    // Never longer than the limit: the memory allocator is several times slower with larger pieces.
    const added = bytes.subarray(-this.#limitBytes);
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

  /** Forgets what lies before a place that a panel names; a place out of the way changes nothing. */
  confirm(place: number): void {
    // A copy: a view of a few bytes would keep all of them.
    if (place > this.start && place <= this.#end) this.#bytes = this.from(place).slice();
  }
}
