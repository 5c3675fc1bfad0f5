import { parseCounts } from "./count.ts";
import { decimalAt } from "./decimals.ts";
import { firstLine, type OnMalformed, parseLines, throwMalformed } from "./lines.ts";

/** Byte counters of one interface since it was created. */
export interface InterfaceCounters {
  name: string;
  receivedBytes: number;
  sentBytes: number;
}

/** Received: bytes, packets, errs, drop, fifo, frame, compressed, multicast; then sent bytes. */
const SENT_BYTES = 8;
/** The kernel counts in 64 bits. */
const MAX_COUNT = 2 ** 64;

/**
 * Parses `/proc/net/dev`.
 *
 * A line without a name, or that lacks counters, goes to `onMalformed`, whose error quotes it, and is
 * skipped if that returns.
 *
 * @throws {SyntaxError} For a malformed line, without `onMalformed`.
 */
export function parseNetDev(
  text: string,
  onMalformed: OnMalformed = throwMalformed,
): InterfaceCounters[] {
  const found: InterfaceCounters[] = [];
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    // Both headings contain bars; every other line has a name.
    if (colon === -1 && (line.trim() === "" || line.includes("|"))) continue;
    const name = line.slice(0, Math.max(colon, 0)).trim();
    const receivedBytes = decimalAt(line, colon + 1) ?? NaN;
    const sentBytes = decimalAt(line, colon + 1, SENT_BYTES) ?? NaN;
    if (name !== "" && receivedBytes <= MAX_COUNT && sentBytes <= MAX_COUNT) {
      found.push({ name, receivedBytes, sentBytes });
    } else onMalformed(parseError(line));
  }
  return found;
}

function parseError(line: string): SyntaxError {
  return new SyntaxError(`Cannot parse net/dev: "${firstLine(line)}"`);
}

/** All counters of one interface since it was created, in the order of the columns' names. */
export interface InterfaceColumns {
  readonly name: string;
  /** Bytes, packets, errors, drops, FIFO errors, frame errors, compressed packets, multicasts. */
  readonly received: readonly number[];
  /** Bytes, packets, errors, drops, FIFO errors, collisions, carrier losses, compressed packets. */
  readonly sent: readonly number[];
}

const COLUMNS_EACH = 8;

/**
 * Parses all columns of `/proc/net/dev`; a malformed line goes to `onMalformed`.
 *
 * @throws {SyntaxError} For a malformed line, without `onMalformed`.
 */
export function parseNetDevColumns(
  text: string,
  onMalformed: OnMalformed = throwMalformed,
): InterfaceColumns[] {
  const headings = text.startsWith("Inter-|") ? 2 : 0;
  const lines = text.split("\n").slice(headings).join("\n");
  return parseLines(lines, { source: "net/dev", parse: parseColumns, onMalformed });
}

function parseColumns(line: string): InterfaceColumns | undefined {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0)).trim();
  const counters = parseCounts(line.slice(colon + 1).trim().split(/ +/));
  if (name === "" || counters?.length !== 2 * COLUMNS_EACH) return undefined;
  return {
    name,
    received: counters.slice(0, COLUMNS_EACH),
    sent: counters.slice(COLUMNS_EACH),
  };
}
