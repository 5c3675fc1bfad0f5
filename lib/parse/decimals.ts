const LINE_FEED = 0x0a;
const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * The decimal number in a column of one line, from an offset on, rounded beyond 2^53; `NaN` where it or
 * one before it is no decimal number, `undefined` where the line has fewer columns.
 *
 * For the files of every report: regular expressions, slices and conversions cost several times as much.
 */
export function decimalAt(text: string, offset: number, column = 0): number | undefined {
  let at = offset;
  for (let rest = column;; rest--) {
    while (text.charCodeAt(at) === SPACE) at++;
    const start = at;
    let value = 0;
    let code = text.charCodeAt(at);
    while (code >= ZERO && code <= NINE) {
      value = value * 10 + (code - ZERO);
      code = text.charCodeAt(++at);
    }
    const isEnd = code === LINE_FEED || at === text.length;
    if (at === start && isEnd) return undefined;
    const isWhole = at > start && (isEnd || code === SPACE);
    if (!isWhole) return NaN;
    if (rest === 0) return value;
  }
}
