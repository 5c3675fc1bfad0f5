/** A JSON object from outside: nothing is known about its values. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Parses untrusted JSON; `undefined` when the text is none.
 *
 * The parser's own error quotes the text, which may hold a token, so it is dropped.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a value is a JSON object: neither `null` nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The fields of an untrusted value; none when it is no JSON object. */
export function jsonFields(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}
