/**
 * The value that a file of `KEY=value` lines gives to `key`, or `undefined` when it gives none.
 *
 * Understands shell quoting, as `/etc/os-release` asks for it; an empty value counts as none, and
 * of several lines the last one counts. A quotation that is not closed ends with its line, since
 * people edit these files by hand.
 */
export function lookupVariable(text: string, key: string): string | undefined {
  let value: string | undefined;
  for (const line of text.split("\n")) {
    const trimmed = line.trim();
    if (trimmed.startsWith(key) && trimmed[key.length] === "=") {
      value = unquote(trimmed.slice(key.length + 1));
    }
  }
  return value === "" ? undefined : value;
}

function unquote(word: string): string {
  let result = "";
  let quote = "";
  for (let at = 0; at < word.length; at++) {
    const character = word.charAt(at);
    if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
    else if (character === "\\" && isEscape(quote, word.charAt(at + 1))) {
      result += word.charAt(++at);
    } else result += character;
  }
  return result.trim();
}

/** A backslash stands for itself within single quotes, and within double ones before most letters. */
function isEscape(quote: string, next: string): boolean {
  return quote === "" || (quote === '"' && '"$`\\'.includes(next));
}
