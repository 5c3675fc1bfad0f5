/**
 * Value of `key` in a file of `KEY=value` lines such as `/etc/os-release`; `undefined` when it is
 * missing or empty.
 *
 * Shell quoting is understood, and a comment after the value is ignored, after one without
 * quotes if its "#" stands alone: "Model #2" is none. The last of several lines counts. An unclosed quotation ends with its
 * line, because these files are edited by hand.
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
  let wasQuoted = false;
  for (let at = 0; at < word.length; at++) {
    const character = word.charAt(at);
    if (character === quote) {
      quote = "";
      wasQuoted = true;
    } else if (quote === "" && (character === '"' || character === "'")) quote = character;
    else if (quote === "" && (wasQuoted ? /^\s+#/ : /^\s+#\s/).test(word.slice(at))) break;
    else if (character === "\\" && isEscape(quote, word.charAt(at + 1))) {
      result += word.charAt(++at);
    } else result += character;
  }
  return result.trim();
}

/** A backslash is literal within single quotes, and within double quotes before most characters. */
function isEscape(quote: string, next: string): boolean {
  return quote === "" || (quote === '"' && '"$`\\'.includes(next));
}
