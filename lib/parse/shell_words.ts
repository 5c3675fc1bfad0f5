/** What stands behind a backslash, and how long that is; `undefined` when it escapes nothing. */
export type Unescape = (
  rest: string,
  quote: string,
) => { readonly text: string; readonly length: number } | undefined;

/**
 * Splits a text at blanks outside of quotations; `unescape` knows the language's escapes. A quotation
 * that is not closed ends with the text.
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
 * Splits a text into words as a shell does, with its quotes and backslashes and without anything
 * that it would put in; a quotation that is not closed ends with the text.
 */
export function splitShellWords(text: string): string[] {
  return splitQuotedWords(text, unescape);
}

function unescape(rest: string, quote: string): { text: string; length: number } | undefined {
  const next = rest.charAt(0);
  const isEscaped = quote === "" || (quote === '"' && '"$`\\'.includes(next));
  return isEscaped ? { text: next, length: 1 } : undefined;
}

/** A word as a POSIX shell takes it, whatever is in it. */
export function quoteShellWord(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
