import type { InterfaceCounters } from "./net_dev.ts";
import { firstLine } from "./bounded_text.ts";

/** Name, MTU and network are present in every row. */
const LEADING_COLUMNS = 3;

/**
 * Parses the output of macOS's `netstat -ibn`.
 *
 * An interface has a row per address, all with the same counters; the link row (network `<Link#4>`)
 * is used. Only some links have an address, so columns are counted from the right. An asterisk after
 * the name marks an interface that is down. A second link of the same name is left out, which older
 * systems print because they truncate names.
 *
 * @throws {SyntaxError} When the headings or a link's counters are missing; the message quotes the line.
 */
export function parseNetstatIb(text: string): InterfaceCounters[] {
  const [heading = "", ...rows] = text.split("\n");
  const headings = splitWords(heading);
  const received = headings.lastIndexOf("Ibytes") - headings.length;
  const sent = headings.lastIndexOf("Obytes") - headings.length;
  if (headings[0] !== "Name" || -received > headings.length || -sent > headings.length) {
    throw new SyntaxError(`Cannot parse netstat: no headings in "${firstLine(text)}"`);
  }
  const found = new Map<string, InterfaceCounters>();
  for (const row of rows) {
    const cells = splitWords(row);
    const name = cells[0]?.replace(/\*$/, "") ?? "";
    if (!/^<Link#\d+>$/.test(cells[2] ?? "") || found.has(name)) continue;
    const receivedBytes = cells.length + received < LEADING_COLUMNS
      ? undefined
      : cells.at(received);
    const sentBytes = cells.length + sent < LEADING_COLUMNS ? undefined : cells.at(sent);
    if (!isCount(receivedBytes) || !isCount(sentBytes)) {
      throw new SyntaxError(`Cannot parse netstat: no counters in "${firstLine(row)}"`);
    }
    found.set(name, {
      name,
      receivedBytes: Number(receivedBytes),
      sentBytes: Number(sentBytes),
    });
  }
  return [...found.values()];
}

function splitWords(line: string): string[] {
  return line.split(/\s+/).filter((word) => word !== "");
}

/** The kernel counts in 64 bits: 20 digits at most. */
function isCount(cell: string | undefined): cell is string {
  return cell !== undefined && /^\d{1,20}$/.test(cell);
}
