/** Longest quotation in an error message; malformed text may have no line ends at all. */
const MAX_LENGTH = 120;

/** The line around `offset`, without its line feed, truncated for quotation in an error message. */
export function lineAt(text: string, offset: number): string {
  const start = offset === 0 ? 0 : text.lastIndexOf("\n", offset - 1) + 1;
  const end = text.indexOf("\n", offset);
  return text.slice(start, Math.min(end === -1 ? text.length : end, start + MAX_LENGTH));
}

const TAB = 0x09;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * The whole number that starts at `offset`, after any spaces; `undefined` when there is none or it
 * exceeds `Number.MAX_SAFE_INTEGER`.
 *
 * Reads in place: a slice and a conversion per number would cost more than the rest of the parsing.
 */
export function decimalAt(text: string, offset: number): number | undefined {
  let at = offset;
  while (text.charCodeAt(at) === SPACE) at++;
  const start = at;
  let value = 0;
  for (;; at++) {
    const code = text.charCodeAt(at);
    if (!(code >= ZERO && code <= NINE)) break;
    value = value * 10 + (code - ZERO);
  }
  return at > start && Number.isSafeInteger(value) ? value : undefined;
}

/** The end of the word at `offset`: the next blank or line feed, or the end of the text. */
export function wordEnd(text: string, offset: number): number {
  let at = offset;
  while (at < text.length && !isBlank(text.charCodeAt(at))) at++;
  return at;
}

/** A space, or one of tab, line feed, vertical tab, form feed and carriage return. */
function isBlank(code: number): boolean {
  return code === SPACE || (code >= TAB && code <= CARRIAGE_RETURN);
}

/** Digits that a double holds exactly. */
const MAX_DIGITS = 15;

/**
 * The number that a word is, with or without a fraction; `undefined` when it is none or has more than
 * 15 digits.
 */
export function fractionBetween(text: string, start: number, end: number): number | undefined {
  let digits = 0;
  let unit = 0;
  let value = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === POINT && unit === 0 && digits > 0) unit = 1;
    else if (code >= ZERO && code <= NINE) {
      value = value * 10 + (code - ZERO);
      digits++;
      unit *= 10;
    } else return undefined;
  }
  if (digits === 0 || digits > MAX_DIGITS || unit === 1) return undefined;
  // Divided once, so that the result is the double next to the decimal number.
  return unit === 0 ? value : value / unit;
}
