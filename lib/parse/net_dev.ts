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
 * @throws {SyntaxError} When a line has no name or lacks counters; the message quotes it.
 */
export function parseNetDev(text: string): InterfaceCounters[] {
  const found: InterfaceCounters[] = [];
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).trim();
    // Both headings contain bars; every other line has a name.
    if (colon === -1 && (line.trim() === "" || line.includes("|"))) continue;
    if (name === "") throw parseError(line);
    const counters = COUNTERS.exec(line.slice(colon + 1));
    if (counters === null) throw parseError(line);
    found.push({ name, receivedBytes: Number(counters[1]), sentBytes: Number(counters[2]) });
  }
  return found;
}

function parseError(line: string): SyntaxError {
  return new SyntaxError(`Cannot parse net/dev: "${firstLine(line)}"`);
}
