import type { TrafficBytes } from "../types.ts";

/** What a file of the official agent says of a stretch of time. */
export interface NetStaticSum extends TrafficBytes {
  /** The last entry's moment, in milliseconds since 1970; `undefined` without any entry. */
  readonly untilMs: number | undefined;
}

/** What is wanted of such a file. */
export interface NetStaticOptions {
  /** Entries before this moment don't count, in milliseconds since 1970. */
  readonly sinceMs: number;
  isCounted(name: string): boolean;
}

/**
 * Adds up the entries of the official agent's `net_static.json`.
 *
 * An interface has a list of entries, `{"timestamp": seconds, "tx": bytes, "rx": bytes}`, each with
 * the bytes since the one before.
 *
 * @throws {SyntaxError} When it is no such file.
 */
export function sumNetStatic(text: string, { sinceMs, isCounted }: NetStaticOptions): NetStaticSum {
  let sentBytes = 0;
  let receivedBytes = 0;
  let untilMs: number | undefined;
  for (const [name, entries] of Object.entries(toRecord(toRecord(parseJson(text)).interfaces))) {
    if (!isCounted(name)) continue;
    if (!Array.isArray(entries)) throw parseError("an interface has no list of entries");
    for (const entry of entries) {
      const { timestamp, tx, rx } = toRecord(entry);
      const atMs = checkCount(timestamp) * 1000;
      if (atMs < sinceMs) continue;
      sentBytes += checkCount(tx);
      receivedBytes += checkCount(rx);
      untilMs = Math.max(untilMs ?? atMs, atMs);
    }
  }
  if (!Number.isSafeInteger(sentBytes) || !Number.isSafeInteger(receivedBytes)) {
    throw parseError("more bytes than a machine can send");
  }
  return { sentBytes, receivedBytes, untilMs };
}

function checkCount(value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw parseError("an entry without its three numbers");
  }
  return value;
}

function toRecord(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw parseError("no object where one belongs");
  }
  return { ...value };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError("Cannot parse net_static.json: it is no JSON", { cause });
  }
}

function parseError(what: string): SyntaxError {
  return new SyntaxError(`Cannot parse net_static.json: ${what}`);
}
