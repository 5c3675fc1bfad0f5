/**
 * Schemas of messages, and the validation of a message against one.
 *
 * @module
 */

import { type Answer, jsonAnswer } from "./http.ts";
import { isWireObject, WireNumber, type WireObject, type WireValue } from "./wire_json.ts";

/** Lowest and highest value. */
export type Range = readonly [lowest: number, highest: number];

/** The schema of a number. */
export interface NumberSchema {
  readonly kind: "integer" | "float";
  /** Outside of it the panel refuses the message. */
  readonly accepted?: Range | undefined;
  /** Outside of it the contract is violated: the panel stores nonsense. */
  readonly allowed: Range;
}

/** The schema of a value. */
export type Schema =
  | NumberSchema
  | { readonly kind: "string" }
  | { readonly kind: "boolean" }
  | { readonly kind: "any" }
  | { readonly kind: "list"; readonly of: Schema }
  | ObjectSchema;

/** The schema of an object. */
export interface ObjectSchema {
  readonly kind: "object";
  readonly fields: Readonly<Record<string, Schema>>;
  /** Names of the fields that may be left out. */
  readonly optional: readonly string[];
}

/** The ways in which a value can deviate from its schema. */
export type FindingKind =
  | "fraction"
  | "missing"
  | "not allowed"
  | "notation"
  | "null"
  | "out of range"
  | "type"
  | "unknown";

/** One deviation from a schema. */
export interface Finding {
  readonly kind: FindingKind;
  /** The field, such as `ram.used`. */
  readonly path: string;
  /** The field and what is wrong, in one line. */
  readonly text: string;
}

/** The result of a message's validation. */
export type Validation<T> =
  | {
    readonly accepted: true;
    readonly value: T;
    /** Violations of the contract that the panel accepts nevertheless. */
    readonly violations: readonly string[];
  }
  | {
    readonly accepted: false;
    readonly answer: Answer;
    readonly violations: readonly string[];
  };

/** The largest integer that all programs on the wire read alike. */
export const MAX_COUNT = 2 ** 53;

/** The schema of a count or a size: an integer of 0 or more. */
export function count(accepted?: Range): NumberSchema {
  return { kind: "integer", allowed: [0, MAX_COUNT], accepted };
}

/** The schema of an object with these fields and no others. */
export function fields(
  schemas: ObjectSchema["fields"],
  optional: readonly string[] = [],
): ObjectSchema {
  return { kind: "object", fields: schemas, optional };
}

/** Accepts a message. */
export function accept<T>(value: T, violations: readonly string[]): Validation<T> {
  return { accepted: true, value, violations };
}

/** Refuses a message with a status and a body. */
export function refuse(
  refusal: { status: number; body: unknown },
  violations: readonly string[],
): Validation<never> {
  return { accepted: false, answer: jsonAnswer(refusal.status, refusal.body), violations };
}

/**
 * Finds the deviation that a message is refused for, and the status of the refusal.
 *
 * The lowest status wins: an unreadable message (400) never gets as far as the check of its
 * values (500).
 */
export function findRefusal(
  findings: readonly Finding[],
  statuses: Readonly<Partial<Record<FindingKind, number | undefined>>>,
): { status: number; finding: Finding } | undefined {
  let refusal: { status: number; finding: Finding } | undefined;
  for (const finding of findings) {
    const status = statuses[finding.kind];
    if (status !== undefined && (refusal === undefined || status < refusal.status)) {
      refusal = { status, finding };
    }
  }
  return refusal;
}

/** Lists every deviation of a value from its schema, in the order of the text. */
export function findDeviations(value: WireValue, schema: Schema, path = ""): Finding[] {
  if (value === null && schema.kind !== "any") return [finding("null", path, "is null")];
  switch (schema.kind) {
    case "string":
      return typeof value === "string" ? [] : [wrongTypeFinding(value, schema, path)];
    case "boolean":
      return typeof value === "boolean" ? [] : [wrongTypeFinding(value, schema, path)];
    case "list":
      return Array.isArray(value)
        ? value.flatMap((item, index) => findDeviations(item, schema.of, `${path}[${index}]`))
        : [wrongTypeFinding(value, schema, path)];
    case "object":
      return isWireObject(value)
        ? checkFields(value, schema, path)
        : [wrongTypeFinding(value, schema, path)];
    case "any":
      return [];
    default:
      return value instanceof WireNumber
        ? checkNumber(value, schema, path)
        : [wrongTypeFinding(value, schema, path)];
  }
}

function checkFields(object: WireObject, schema: ObjectSchema, path: string): Finding[] {
  const findings: Finding[] = [];
  const prefix = path === "" ? "" : `${path}.`;
  for (const [key, value] of Object.entries(object)) {
    const field = Object.hasOwn(schema.fields, key) ? schema.fields[key] : undefined;
    if (field === undefined) {
      findings.push(finding("unknown", prefix + key, "is not part of the contract"));
    } else {
      findings.push(...findDeviations(value, field, prefix + key));
    }
  }
  for (const key of Object.keys(schema.fields)) {
    if (!Object.hasOwn(object, key) && !schema.optional.includes(key)) {
      findings.push(finding("missing", prefix + key, "is missing"));
    }
  }
  return findings;
}

function checkNumber(number: WireNumber, schema: NumberSchema, path: string): Finding[] {
  if (schema.kind === "integer" && !number.isInteger) {
    // An integer such as `2.0` or `1e3` is accepted by version 2.
    const kind = Number.isSafeInteger(number.value) ? "notation" : "fraction";
    return [finding(kind, path, `must be a whole number: ${number.text}`)];
  }
  if (!Number.isFinite(number.value)) {
    return [finding("type", path, `is no number that fits: ${number.text}`)];
  }
  if (schema.accepted !== undefined && !isWithin(number.value, schema.accepted)) {
    return [finding("out of range", path, `is out of range: ${number.text}`)];
  }
  if (!isWithin(number.value, schema.allowed)) {
    return [finding("not allowed", path, `is not allowed: ${number.text}`)];
  }
  return [];
}

function isWithin(value: number, [lowest, highest]: Range): boolean {
  return value >= lowest && value <= highest;
}

function wrongTypeFinding(value: WireValue, schema: Schema, path: string): Finding {
  const is = value instanceof WireNumber
    ? "a number"
    : Array.isArray(value)
    ? "a list"
    : `a ${typeof value}`;
  return finding("type", path, `must be of kind ${schema.kind}, is ${is}`);
}

function finding(kind: FindingKind, path: string, problem: string): Finding {
  return { kind, path, text: `${path === "" ? "the message" : path} ${problem}` };
}
