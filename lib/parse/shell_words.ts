/**
 * The text of an escape after a backslash, and its length; `undefined` when the backslash is
 * literal.
 */
export type Unescape = (
  rest: string,
  quote: string,
) => { readonly text: string; readonly length: number } | undefined;

/**
 * Splits a text at blanks outside of quotes. An open quote ends with the text.
 *
 * @param unescape The language's escapes.
 */
export function splitQuotedWords(text: string, unescape: Unescape): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at);
    const escaped = letter === "\\" ? unescape(text.slice(at + 1), quote) : undefined;
    if (quote === "" && /\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (escaped !== undefined) {
      word = (word ?? "") + escaped.text;
      at += escaped.length;
    } else if (letter === quote) {
      quote = "";
    } else if (quote === "" && (letter === '"' || letter === "'")) {
      quote = letter;
      word ??= "";
    } else {
      word = (word ?? "") + letter;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/**
 * Splits a text into words as a POSIX shell does, without expansions. An open quote ends with the
 * text.
 */
export function splitShellWords(text: string): string[] {
  return splitQuotedWords(text, unescape);
}

function unescape(rest: string, quote: string): { text: string; length: number } | undefined {
  const next = rest.charAt(0);
  const isEscaped = quote === "" || (quote === '"' && '"$`\\'.includes(next));
  return isEscaped ? { text: next, length: 1 } : undefined;
}

/** Quotes any text as one word for a POSIX shell. */
export function quoteShellWord(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
