import { isJsonObject, type JsonObject, parseJson } from "../parse/json.ts";
import type { TrafficBytes } from "../types.ts";

/** Traffic of the official agent's `net_static.json` over a time. */
export interface NetStaticSum extends TrafficBytes {
  /** Time of the last entry, in milliseconds since 1970; `undefined` without entries. */
  readonly untilMs: number | undefined;
}

/**
 * Adds up the entries of the official agent's `net_static.json` from `sinceMs` on, in milliseconds since 1970.
 *
 * Each interface has a list of entries `{"timestamp": seconds, "tx": bytes, "rx": bytes}` with the
 * bytes since the previous entry.
 *
 * @throws {SyntaxError} When the file is malformed.
 */
export function sumNetStatic(
  text: string,
  { sinceMs, isCounted }: { sinceMs: number; isCounted(name: string): boolean },
): NetStaticSum {
  let sentBytes = 0;
  let receivedBytes = 0;
  let untilMs: number | undefined;
  for (const [name, entries] of Object.entries(toObject(toObject(parseJson(text)).interfaces))) {
    if (!isCounted(name)) continue;
    if (!Array.isArray(entries)) throw parseError("an interface without a list of entries");
    for (const entry of entries) {
      const { timestamp, tx, rx } = toObject(entry);
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

function toObject(value: unknown): JsonObject {
  if (!isJsonObject(value)) throw parseError("not a JSON object");
  return value;
}

function parseError(what: string): SyntaxError {
  return new SyntaxError(`Cannot parse net_static.json: ${what}`);
}
