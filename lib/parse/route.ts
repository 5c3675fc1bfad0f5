import { firstLine } from "./lines.ts";

/** A route of the main table: addresses whose bits under `mask` are those of `destination`. */
export interface Ipv4Route {
  readonly interface: string;
  readonly destination: number;
  readonly mask: number;
  /** The next machine on the way; 0 where the addresses are on the same link. */
  readonly gateway: number;
}

/**
 * Parses `/proc/net/route`.
 *
 * @throws {SyntaxError} When a line lacks a column; the message quotes it.
 */
export function parseRoutes(text: string): Ipv4Route[] {
  const [, ...lines] = text.split("\n");
  return lines.filter((line) => line.trim() !== "").map((line) => {
    const [name = "", destination = "", next = "", , , , , mask = ""] = line.trim().split(/\s+/);
    const [to, gateway, under] = [destination, next, mask].map(fromHexadecimal);
    if (to === undefined || gateway === undefined || under === undefined) {
      throw new SyntaxError(`Cannot parse route: "${firstLine(line)}"`);
    }
    return { interface: name, destination: to, mask: under, gateway };
  });
}

/** The kernel writes the four bytes of an address as one number of the machine, the lowest first. */
function fromHexadecimal(word: string): number | undefined {
  if (!/^[0-9A-F]{8}$/i.test(word)) return undefined;
  const bytes = word.match(/../g) ?? [];
  return Number.parseInt(bytes.reverse().join(""), 16);
}
