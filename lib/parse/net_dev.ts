import { decimalAt, firstLine, type OnMalformed, throwMalformed } from "./bounded_text.ts";

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
