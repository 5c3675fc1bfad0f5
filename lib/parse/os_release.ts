/**
 * Value of `key` in a file of `KEY=value` lines such as `/etc/os-release`; `undefined` when it is
 * missing or empty.
 *
 * A value is in quotes of one kind, or without any; a comment after it is ignored, after one without
 * quotes if its "#" stands alone: "Model #2" is none. The last of several lines counts. An unclosed
 * quotation ends with its line, because these files are edited by hand.
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

const QUOTED = /^(?:"((?:\\.|[^"\\])*)|'([^']*)|(.*?)(?:\s+#\s.*)?$)/s;

/** A backslash is literal within single quotes, and within double quotes before most characters. */
function unquote(word: string): string {
  const [, double, single, plain = ""] = QUOTED.exec(word) ?? [];
  const text = double?.replace(/\\(["$`\\])/g, "$1") ?? single ?? plain.replace(/\\(.?)/gs, "$1");
  return text.trim();
}
