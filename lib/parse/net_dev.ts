import { firstLine } from "./lines.ts";

/** Byte counters of one interface since it was created. */
export interface InterfaceCounters {
  name: string;
  receivedBytes: number;
  sentBytes: number;
}

/** The kernel counts in 64 bits: 20 digits at most. */
const COUNT = /^\d{1,20}$/;

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
    // Received: bytes, packets, errs, drop, fifo, frame, compressed, multicast; then sent bytes.
    const columns = line.slice(colon + 1).split(" ").filter((word) => word !== "");
    const [received = "", sent = ""] = [columns[0], columns[8]];
    if (!COUNT.test(received) || !COUNT.test(sent)) throw parseError(line);
    found.push({ name, receivedBytes: Number(received), sentBytes: Number(sent) });
  }
  return found;
}

function parseError(line: string): SyntaxError {
  return new SyntaxError(`Cannot parse net/dev: "${firstLine(line)}"`);
}
