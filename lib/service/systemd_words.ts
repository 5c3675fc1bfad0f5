import { splitQuotedWords } from "./quoted_words.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  s: " ",
  "\\": "\\",
  '"': '"',
  "'": "'",
};

/**
 * Splits a line of a unit file into words, with the quotes and escapes that `systemd.service(5)`
 * and `systemd.syntax(7)` know; a quotation that is not closed ends with the line.
 */
export function splitSystemdWords(line: string): string[] {
  return splitQuotedWords(line, unescapeSystemdWords);
}

/** What an escape stands for, and how long it is behind its backslash. */
function unescapeSystemdWords(rest: string): { text: string; length: number } {
  const named = ESCAPES[rest.charAt(0)];
  if (named !== undefined) return { text: named, length: 1 };
  const hex = /^(?:x([0-9a-f]{2})|u([0-9a-f]{4}))/i.exec(rest);
  if (hex !== null) {
    const code = Number.parseInt(hex[1] ?? hex[2] ?? "", 16);
    return { text: String.fromCharCode(code), length: hex[0].length };
  }
  const octal = /^[0-3][0-7]{2}/.exec(rest);
  if (octal !== null) {
    return { text: String.fromCharCode(Number.parseInt(octal[0], 8)), length: 3 };
  }
  return { text: "\\", length: 0 };
}

/**
 * Puts the values of variables into a command's words: `${NAME}` within a word, `$NAME` as a word
 * that becomes as many as its value has, and `$$` for the sign itself.
 */
export function expandSystemdWords(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): string[] {
  return words.flatMap((word) => {
    const whole = /^\$([A-Za-z_]\w*)$/.exec(word);
    if (whole !== null) return splitSystemdWords(env[whole[1] ?? ""] ?? "");
    return [
      word.replace(
        /\$\$|\$\{([A-Za-z_]\w*)\}/g,
        (_all, name) => name === undefined ? "$" : env[name] ?? "",
      ),
    ];
  });
}
