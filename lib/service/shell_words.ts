import { splitQuotedWords } from "./quoted_words.ts";

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
