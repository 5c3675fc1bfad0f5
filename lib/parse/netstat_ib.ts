import type { InterfaceCounters } from "./net_dev.ts";
import { lineAt } from "./scan.ts";

/** The columns before the first that the header names last: name, MTU and network are in each row. */
const LEADING_COLUMNS = 3;

/**
 * Reads what macOS's `netstat -ibn` prints.
 *
 * An interface has a row per address, all with the same counters; the one of its link, whose network
 * is `<Link#4>`, is taken. Only some links have an address, so columns are counted from the right.
 * An asterisk behind the name marks an interface that is down. Rows of interfaces for which `wants`
 * is false are not in the answer; neither is a second link of one name, as older systems have them,
 * which cut names off.
 *
 * @throws {SyntaxError} When the headings or a link's counters are missing; the message quotes the line.
 */
export function parseNetstatIb(
  text: string,
  wants: (name: string) => boolean = () => true,
): InterfaceCounters[] {
  const [heading = "", ...rows] = text.split("\n");
  const headings = splitWords(heading);
  const received = headings.lastIndexOf("Ibytes") - headings.length;
  const sent = headings.lastIndexOf("Obytes") - headings.length;
  if (headings[0] !== "Name" || -received > headings.length || -sent > headings.length) {
    throw new SyntaxError(`Cannot parse netstat: no headings in "${lineAt(text, 0)}"`);
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
      throw new SyntaxError(`Cannot parse netstat: no counters in "${lineAt(row, 0)}"`);
    }
    if (!wants(name)) continue;
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
