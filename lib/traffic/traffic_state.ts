import { isJsonObject, type JsonObject, parseJson } from "../parse/json.ts";
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

/** Formats the state as one JSON object; arrays are bytes sent and bytes received. */
export function formatTrafficState(state: TrafficState): string {
  const both = ({ sentBytes, receivedBytes }: TrafficBytes) => [sentBytes, receivedBytes];
  const mark = (it: PeriodBaseline) => ({ start: it.start, seenMs: it.seenMs, passed: both(it) });
  const kept = [...state.interfaces].slice(-MAX_KEPT_INTERFACES);
  return JSON.stringify({
    version: VERSION,
    day: state.day,
    bootId: state.bootId,
    passed: both(state.countedBytes),
    current: mark(state.current),
    others: state.others.slice(0, MAX_OTHER_PERIODS).map(mark),
    interfaces: Object.fromEntries(kept.map(([name, bytes]) => [name, both(bytes)])),
    indexes: Object.fromEntries(kept.flatMap(([name]) => {
      const index = state.indexes.get(name);
      return index === undefined ? [] : [[name, index]];
    })),
  }) + "\n";
}

/**
 * Parses the output of {@linkcode formatTrafficState}.
 *
 * @throws {SyntaxError} When any field is missing or invalid.
 */
export function parseTrafficState(text: string): TrafficState {
  if (text.length > MAX_LENGTH) throw parseError("it is too long");
  const state = parseObject(parseJson(text), "it is not a JSON object");
  if (state.version !== VERSION) throw parseError("its version is not known");
  const { bootId, others } = state;
  if (typeof bootId !== "string" || bootId.length > 64) throw parseError("bootId");
  if (!Array.isArray(others) || others.length > MAX_OTHER_PERIODS) throw parseError("others");
  return {
    day: parseInteger(state.day, { name: "day", min: 1, max: 31 }),
    bootId,
    countedBytes: parseTrafficBytes(state.passed, { name: "passed", min: 0 }),
    current: parseBaseline(state.current),
    others: others.map(parseBaseline),
    interfaces: parseEntries(
      state.interfaces,
      "interfaces",
      (value) => parseTrafficBytes(value, { name: "interfaces", min: 0 }),
    ),
    indexes: parseEntries(
      state.indexes,
      "indexes",
      (value) => parseInteger(value, { name: "indexes", min: 1, max: 2 ** 31 }),
    ),
  };
}

function parseEntries<T>(
  value: unknown,
  name: string,
  parse: (value: unknown) => T,
): Map<string, T> {
  const entries = Object.entries(parseObject(value, name));
  if (entries.length > MAX_KEPT_INTERFACES) throw parseError(name);
  return new Map(entries.map(([key, value]) => [key, parse(value)]));
}

function parseBaseline(value: unknown): PeriodBaseline {
  const { start, seenMs, passed } = parseObject(value, "a period");
  if (typeof start !== "string" || !/^\d{4}-\d{2}-\d{2}$/.test(start)) throw parseError("start");
  return {
    start,
    seenMs: parseInteger(seenMs, { name: "seenMs", min: -MAX_TIME_MS, max: MAX_TIME_MS }),
    ...parseTrafficBytes(passed, { name: "passed", min: -MAX_BYTES }),
  };
}

function parseTrafficBytes(
  value: unknown,
  { name, min }: { name: string; min: number },
): TrafficBytes {
  if (!Array.isArray(value) || value.length !== 2) throw parseError(name);
  const [sentBytes, receivedBytes] = value.map((it) =>
    parseInteger(it, { name, min, max: MAX_BYTES })
  );
  if (sentBytes === undefined || receivedBytes === undefined) throw parseError(name);
  return { sentBytes, receivedBytes };
}

function parseInteger(value: unknown, bounds: { name: string; min: number; max: number }): number {
  const fits = typeof value === "number" && Number.isInteger(value) &&
    value >= bounds.min && value <= bounds.max;
  if (!fits) throw parseError(bounds.name);
  return value;
}

function parseObject(value: unknown, name: string): JsonObject {
  if (!isJsonObject(value)) throw parseError(name);
  return value;
}

function parseError(what: string): SyntaxError {
  return new SyntaxError(`Cannot parse the month's state: ${what}`);
}
