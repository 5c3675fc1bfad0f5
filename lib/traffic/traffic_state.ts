import { isJsonObject, jsonFields, parseJson } from "../parse/json.ts";
import type { TrafficBytes } from "../types.ts";

/** Count at the start of a period; negative when its total was set to more than was counted. */
export interface PeriodBaseline extends TrafficBytes {
  /** First day of the period, as `2026-11-01`. */
  readonly start: string;
  /** Last time that was read in it, in milliseconds since 1970. */
  readonly seenMs: number;
}

/** Persisted state of the month's traffic. */
export interface TrafficState {
  /** Day of the month of the reset. */
  readonly day: number;
  /** Boot id of the counters; empty where it is unknown. */
  readonly bootId: string;
  /** All bytes ever counted: it only grows. */
  readonly countedBytes: TrafficBytes;
  readonly current: PeriodBaseline;
  /** Periods that were current before, the latest first. */
  readonly others: readonly PeriodBaseline[];
  /** The last counters of each interface. */
  readonly interfaces: ReadonlyMap<string, TrafficBytes>;
  /** Indexes of these interfaces on this boot, where they are known. */
  readonly indexes: ReadonlyMap<string, number>;
}

/** Number of baselines kept beside the current one. */
export const MAX_OTHER_PERIODS = 3;
/** Number of interfaces whose counters are kept. */
export const MAX_KEPT_INTERFACES = 128;

const VERSION = 1;
/** Size limit, in characters; usual states have a few hundred. */
const MAX_LENGTH = 32 * 1024;
/** The kernel counts in 64 bits. */
const MAX_BYTES = 2 ** 65;
/** Latest time of a `Date`. */
const MAX_TIME_MS = 8.64e15;

/** Formats the state as one JSON object, with the latest interfaces and periods. */
export function formatTrafficState(state: TrafficState): string {
  const kept = [...state.interfaces].slice(-MAX_KEPT_INTERFACES);
  const indexes = [...state.indexes].filter(([name]) => kept.some(([it]) => it === name));
  return JSON.stringify({
    version: VERSION,
    ...state,
    others: state.others.slice(0, MAX_OTHER_PERIODS),
    interfaces: Object.fromEntries(kept),
    indexes: Object.fromEntries(indexes),
  }) + "\n";
}

/**
 * Parses the output of {@linkcode formatTrafficState}.
 *
 * @throws {SyntaxError} When any field is missing or invalid.
 */
export function parseTrafficState(text: string): TrafficState {
  const fields = jsonFields(text.length > MAX_LENGTH ? undefined : parseJson(text));
  const { version, day, bootId, countedBytes, current, others, interfaces, indexes } = fields;
  const isWhole = version === VERSION && isInteger(day, 1, 31) &&
    typeof bootId === "string" && bootId.length <= 64 &&
    isCount(countedBytes) && isBaseline(current) &&
    Array.isArray(others) && others.length <= MAX_OTHER_PERIODS && others.every(isBaseline) &&
    hasEntries(interfaces, isCount) && hasEntries(indexes, isIndex);
  if (!isWhole) throw new SyntaxError("Cannot parse the month's state");
  return {
    ...{ day, bootId, countedBytes, current, others },
    interfaces: new Map(Object.entries(interfaces)),
    indexes: new Map(Object.entries(indexes)),
  };
}

/** An interface's name: at most 15 characters, without blanks and slashes, as the kernel allows them. */
const INTERFACE_NAME = /^[^\s/\p{Cc}\p{Cf}]{1,15}$/u;

function hasEntries<T>(
  value: unknown,
  isOne: (value: unknown) => value is T,
): value is Record<string, T> {
  return isJsonObject(value) && Object.keys(value).length <= MAX_KEPT_INTERFACES &&
    Object.keys(value).every((name) => INTERFACE_NAME.test(name)) &&
    Object.values(value).every(isOne);
}

function isBaseline(value: unknown): value is PeriodBaseline {
  const { start, seenMs } = jsonFields(value);
  return typeof start === "string" && /^\d{4}-\d{2}-\d{2}$/.test(start) &&
    isInteger(seenMs, -MAX_TIME_MS, MAX_TIME_MS) && hasBytes(value, -MAX_BYTES);
}

function isCount(value: unknown): value is TrafficBytes {
  return hasBytes(value, 0);
}

function isIndex(value: unknown): value is number {
  return isInteger(value, 1, 2 ** 31);
}

function hasBytes(value: unknown, min: number): boolean {
  const { sentBytes, receivedBytes } = jsonFields(value);
  return isInteger(sentBytes, min, MAX_BYTES) && isInteger(receivedBytes, min, MAX_BYTES);
}

function isInteger(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}
