import { firstLine } from "./lines.ts";

/** Byte counters of one interface since it was created. */
export interface InterfaceCounters {
  name: string;
  receivedBytes: number;
  sentBytes: number;
}

/**
 * Received: bytes, packets, errs, drop, fifo, frame, compressed, multicast; then sent bytes. The kernel
 * counts in 64 bits: 20 digits at most.
 */
const COUNTERS = /^\s*(\d{1,20})(?:\s+\d+){7}\s+(\d{1,20})(?!\S)/;

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
  onMalformed: (error: SyntaxError) => void = (error) => {
    throw error;
  },
): InterfaceCounters[] {
  const found: InterfaceCounters[] = [];
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).trim();
    // Both headings contain bars; every other line has a name.
    if (colon === -1 && (line.trim() === "" || line.includes("|"))) continue;
    const counters = name === "" ? null : COUNTERS.exec(line.slice(colon + 1));
    if (counters === null) onMalformed(parseError(line));
    else found.push({ name, receivedBytes: Number(counters[1]), sentBytes: Number(counters[2]) });
  }
  return found;
}

function parseError(line: string): SyntaxError {
  return new SyntaxError(`Cannot parse net/dev: "${firstLine(line)}"`);
}
