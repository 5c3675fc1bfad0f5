/**
 * What a message must look like, as a table, and the examination of one against it.
 *
 * @module
 */

import { isWireObject, WireNumber, type WireObject, type WireValue } from "./wire_json.ts";

/** Lowest and highest value. */
export type Range = readonly [lowest: number, highest: number];

/** What a number may be. */
export interface NumberRule {
  readonly kind: "integer" | "float";
  /** What the panel accepts; it refuses the message outside of it. */
  readonly accepted?: Range;
  /** What the contract allows; outside of it the panel stores nonsense. */
  readonly allowed: Range;
}

/** What a value must be. */
export type Rule =
  | NumberRule
  | { readonly kind: "string" }
  | { readonly kind: "list"; readonly of: Rule }
  | ObjectRule;

/** What an object must hold. */
export interface ObjectRule {
  readonly kind: "object";
  readonly fields: Readonly<Record<string, Rule>>;
  /** Names of the fields that may be left out. */
  readonly optional: readonly string[];
}

/** How a value departs from its rule. */
export type Departure =
  | "fraction"
  | "missing"
  | "not allowed"
  | "null"
  | "out of range"
  | "type"
  | "unknown";

/** One departure from the contract. */
export interface Finding {
  readonly departure: Departure;
  /** Where, such as `ram.used`. */
  readonly path: string;
  /** What is wrong, in one line. */
  readonly text: string;
}

/** The largest whole number that every party of the wire reads alike. */
export const LARGEST_COUNT = 2 ** 53;

/** A count or a size: a whole number of 0 or more. */
export function count(accepted?: Range): NumberRule {
  const rule = { kind: "integer", allowed: [0, LARGEST_COUNT] } as const;
  return accepted === undefined ? rule : { ...rule, accepted };
}

/** An object with these fields and no others. */
export function fields(rules: ObjectRule["fields"], optional: readonly string[] = []): ObjectRule {
  return { kind: "object", fields: rules, optional };
}

/** Lists every departure of a value from its rule, in the order of the text. */
export function examine(value: WireValue, rule: Rule, path = ""): Finding[] {
  if (value === null) return [finding("null", path, "is null")];
  switch (rule.kind) {
    case "string":
      return typeof value === "string" ? [] : [wrongType(value, rule, path)];
    case "list":
      return Array.isArray(value)
        ? value.flatMap((item, index) => examine(item, rule.of, `${path}[${index}]`))
        : [wrongType(value, rule, path)];
    case "object":
      return isWireObject(value)
        ? examineFields(value, rule, path)
        : [wrongType(value, rule, path)];
    default:
      return value instanceof WireNumber
        ? examineNumber(value, rule, path)
        : [wrongType(value, rule, path)];
  }
}

function examineFields(object: WireObject, rule: ObjectRule, path: string): Finding[] {
  const findings: Finding[] = [];
  const prefix = path === "" ? "" : `${path}.`;
  for (const [key, value] of Object.entries(object)) {
    const field = Object.hasOwn(rule.fields, key) ? rule.fields[key] : undefined;
    if (field === undefined) {
      findings.push(finding("unknown", prefix + key, "is not part of the contract"));
    } else {
      findings.push(...examine(value, field, prefix + key));
    }
  }
  for (const key of Object.keys(rule.fields)) {
    if (!Object.hasOwn(object, key) && !rule.optional.includes(key)) {
      findings.push(finding("missing", prefix + key, "is missing"));
    }
  }
  return findings;
}

function examineNumber(number: WireNumber, rule: NumberRule, path: string): Finding[] {
  if (rule.kind === "integer" && !number.isInteger) {
    return [finding("fraction", path, `must be a whole number: ${number.text}`)];
  }
  if (!Number.isFinite(number.value)) {
    return [finding("type", path, `is no number that fits: ${number.text}`)];
  }
  if (rule.accepted !== undefined && !within(number.value, rule.accepted)) {
    return [finding("out of range", path, `is out of range: ${number.text}`)];
  }
  if (!within(number.value, rule.allowed)) {
    return [finding("not allowed", path, `is not allowed: ${number.text}`)];
  }
  return [];
}

function within(value: number, [lowest, highest]: Range): boolean {
  return value >= lowest && value <= highest;
}

function wrongType(value: WireValue, rule: Rule, path: string): Finding {
  const is = value instanceof WireNumber
    ? "a number"
    : Array.isArray(value)
    ? "a list"
    : `a ${typeof value}`;
  return finding("type", path, `must be of kind ${rule.kind}, is ${is}`);
}

function finding(departure: Departure, path: string, what: string): Finding {
  return { departure, path, text: `${path === "" ? "the message" : path} ${what}` };
}
