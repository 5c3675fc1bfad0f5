/**
 * Splits a text into words as a shell does, with its quotes and backslashes and without anything
 * that it would put in; a quotation that is not closed ends with the text.
 */
export function splitShellWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at);
    if (quote === "" && /\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (letter === "\\" && isEscaped(text.charAt(at + 1), quote)) {
      word = (word ?? "") + text.charAt(++at);
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

function isEscaped(next: string, quote: string): boolean {
  return quote === "" || (quote === '"' && '"$`\\'.includes(next));
}
