/**
 * JSON of the wire, where `2` and `2.0` are different numbers.
 *
 * @module
 */

/** A number with its text. */
export class WireNumber {
  readonly value: number;
  /** The text of the number, such as `2.0`. */
  readonly text: string;

  constructor(value: number, text: string) {
    this.value = value;
    this.text = text;
  }

  /** Whether the text is an integer of 64 bits: no fraction, no exponent. */
  get isInteger(): boolean {
    return /^-?\d{1,19}$/.test(this.text) &&
      BigInt.asIntN(64, BigInt(this.text)) === BigInt(this.text);
  }
}

/** An object on the wire. */
export interface WireObject {
  [key: string]: WireValue;
}

/** Any value on the wire. */
export type WireValue = string | boolean | null | WireNumber | WireValue[] | WireObject;

/**
 * Parses a JSON value and keeps the text of its numbers.
 *
 * @throws {SyntaxError} When the text is no JSON.
 */
export function parseWireJson(text: string): WireValue {
  return JSON.parse(
    text,
    (_key: string, value: unknown, context?: { source?: string }): unknown =>
      typeof value === "number" ? new WireNumber(value, context?.source ?? String(value)) : value,
  );
}

/** Parses a JSON object; `undefined` when the text is anything else. */
export function parseWireObject(text: string): WireObject | undefined {
  try {
    const value = parseWireJson(text);
    return isWireObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Writes a value as JSON, with the original text of its numbers. */
export function writeWireJson(value: WireValue): string {
  if (value instanceof WireNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeWireJson).join(",")}]`;
  if (!isWireObject(value)) return JSON.stringify(value);
  const fields = Object.entries(value).map(([key, field]) =>
    `${JSON.stringify(key)}:${writeWireJson(field)}`
  );
  return `{${fields.join(",")}}`;
}

/** Whether a value is an object. */
export function isWireObject(value: WireValue | undefined): value is WireObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof WireNumber);
}

/** The text in a field; empty when there is none, as the panel stores it. */
export function stringIn(object: WireObject, key: string): string {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  return typeof value === "string" ? value : "";
}

const rfc3339 =
  /^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Whether a text is a time with a zone in the format of RFC 3339. */
export function isRfc3339(text: string): boolean {
  return rfc3339.test(text);
}
