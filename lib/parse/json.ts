import { attempt } from "../attempt.ts";

/** A JSON object from outside: nothing is known about its values. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Parses untrusted JSON; `undefined` when the text is none.
 *
 * The parser's own error quotes the text, which may hold a token, so it is dropped.
 */
export function parseJson(text: string): unknown {
  return attempt(() => JSON.parse(text));
}

/** Whether a value is a JSON object: neither `null` nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The fields of an untrusted value; none when it is no JSON object. */
export function jsonFields(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

/**
 * Whether JSON has more than `max` values, told without parsing it: `[{},{},…]` takes twenty times its own
 * length then.
 */
export function hasMoreValues(text: string, max: number): boolean {
  if (text.length <= max) return false;
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) at = endOfString(text, at);
    else if (char === COMMA || char === COLON || char === BRACKET || char === BRACE) count++;
    if (count > max) return true;
  }
  return false;
}

const [QUOTE, COMMA, COLON, BRACKET, BRACE, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5b, 0x7b, 0x5c];

/** The index of the quote that ends the string which begins at `from`. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
