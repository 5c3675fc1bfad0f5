/**
 * JSON as it stands on the wire, where `2` and `2.0` are not the same.
 *
 * @module
 */

/** A number and how it was written. */
export class WireNumber {
  readonly value: number;
  /** The number's own text, such as `2.0`. */
  readonly text: string;

  constructor(value: number, text: string) {
    this.value = value;
    this.text = text;
  }

  /** Whether it is written as a whole number of 64 bits: no fraction, no exponent. */
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
 * Reads one JSON value and keeps how its numbers were written.
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

/** Reads one JSON object; `undefined` when the text is anything else. */
export function parseWireObject(text: string): WireObject | undefined {
  try {
    const value = parseWireJson(text);
    return isWireObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The JSON text of a value, with its numbers as they were written. */
export function writeWireJson(value: WireValue): string {
  if (value instanceof WireNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeWireJson).join(",")}]`;
  if (!isWireObject(value)) return JSON.stringify(value);
  const fields = Object.entries(value).map(([key, field]) =>
    `${JSON.stringify(key)}:${writeWireJson(field)}`
  );
  return `{${fields.join(",")}}`;
}

/** Whether a value is an object with fields. */
export function isWireObject(value: WireValue | undefined): value is WireObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof WireNumber);
}

/** The object of a field; an empty one when there is none. */
export function objectIn(object: WireObject, key: string): WireObject {
  const value = own(object, key);
  return isWireObject(value) ? value : {};
}

/** The objects of a field's list; none when there is no list, and an empty one for what is none. */
export function objectsIn(object: WireObject, key: string): WireObject[] {
  const value = own(object, key);
  return Array.isArray(value) ? value.map((item) => isWireObject(item) ? item : {}) : [];
}

/** The number of a field; 0 when there is none, as the panel stores it. */
export function numberIn(object: WireObject, key: string): number {
  const value = own(object, key);
  return value instanceof WireNumber ? value.value : 0;
}

/** The text of a field; empty when there is none, as the panel stores it. */
export function stringIn(object: WireObject, key: string): string {
  const value = own(object, key);
  return typeof value === "string" ? value : "";
}

const rfc3339 =
  /^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Whether a text is a time with a zone, as RFC 3339 writes it. */
export function isRfc3339(text: string): boolean {
  return rfc3339.test(text);
}

function own(object: WireObject, key: string): WireValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
