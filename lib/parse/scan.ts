/** Longest quotation in an error; kernel text that is bent may have no line ends at all. */
const MAX_LENGTH = 120;

/** The line that `offset` lies in, without its line feed, cut to what an error message can quote. */
export function lineAt(text: string, offset: number): string {
  const start = offset === 0 ? 0 : text.lastIndexOf("\n", offset - 1) + 1;
  const end = text.indexOf("\n", offset);
  return text.slice(start, Math.min(end === -1 ? text.length : end, start + MAX_LENGTH));
}

const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * The whole number that starts at `offset`, after any spaces; `undefined` when there is none or
 * when it can't be held exactly.
 *
 * Reads in place, because a slice and a conversion per number would cost more than the rest of a
 * report's parsing.
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
