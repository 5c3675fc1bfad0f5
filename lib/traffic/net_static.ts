import type { BothWays } from "../types.ts";

/** What a file of the official agent says of a stretch of time. */
export interface NetStaticSum extends BothWays {
  /** The last entry's moment, in milliseconds since 1970; `undefined` without any entry. */
  readonly untilMs: number | undefined;
}

/** What is wanted of such a file. */
export interface NetStaticWish {
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
export function sumNetStatic(text: string, { sinceMs, isCounted }: NetStaticWish): NetStaticSum {
  let sentBytes = 0;
  let receivedBytes = 0;
  let untilMs: number | undefined;
  for (const [name, entries] of Object.entries(fieldsOf(fieldsOf(parseJson(text)).interfaces))) {
    if (!isCounted(name)) continue;
    if (!Array.isArray(entries)) throw unreadable("an interface has no list of entries");
    for (const entry of entries) {
      const { timestamp, tx, rx } = fieldsOf(entry);
      const atMs = count(timestamp) * 1000;
      if (atMs < sinceMs) continue;
      sentBytes += count(tx);
      receivedBytes += count(rx);
      untilMs = Math.max(untilMs ?? atMs, atMs);
    }
  }
  if (!Number.isSafeInteger(sentBytes) || !Number.isSafeInteger(receivedBytes)) {
    throw unreadable("more bytes than a machine can send");
  }
  return { sentBytes, receivedBytes, untilMs };
}

function count(value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw unreadable("an entry without its three numbers");
  }
  return value;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw unreadable("no object where one belongs");
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

function unreadable(what: string): SyntaxError {
  return new SyntaxError(`Cannot parse net_static.json: ${what}`);
}
