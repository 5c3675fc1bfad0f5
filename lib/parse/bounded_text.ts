/** The text, or its start with an ellipsis: at most `maxLength` UTF-16 code units. */
export function truncate(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1).toWellFormed()}…`;
}

/** Another program's words, without the arrow that stands before advice in ours. */
export function withoutArrows(text: string): string {
  return text.replaceAll("→", "->");
}

/** The start of another program's words, without arrows. */
export function foreignWords(text: string, maxLength: number): string {
  return truncate(withoutArrows(text), maxLength);
}

/** The start of an untrusted text for an error message: quoted and escaped as in JSON. */
export function quoteStart(text: string, maxLength = 40): string {
  return JSON.stringify(foreignWords(text, maxLength));
}

/** The number of a text's first character, as Unicode writes it behind `U+`: `FF1A`. */
export function codePoint(text: string): string {
  return (text.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
}

/** Malformed text may have no line ends at all. */
const MAX_LENGTH = 120;

/** The start of a text's first line, for an error message: at most 120 characters. */
export function firstLine(text: string): string {
  const end = text.indexOf("\n");
  return text.slice(0, Math.min(end === -1 ? text.length : end, MAX_LENGTH));
}

/** The first line that begins with `start`, without its line feed; `undefined` when there is none. */
export function findLine(text: string, start: string): string | undefined {
  const at = text.startsWith(start) ? 0 : text.indexOf(`\n${start}`) + 1;
  if (at === 0 && !text.startsWith(start)) return undefined;
  const end = text.indexOf("\n", at);
  return text.slice(at, end === -1 ? undefined : end);
}

/** Gets the error of a malformed line, which quotes it; the line is skipped if this returns. */
export type OnMalformed = (error: SyntaxError) => void;

/** The default: a malformed line is an error of the whole text. */
export function throwMalformed(error: SyntaxError): never {
  throw error;
}

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
