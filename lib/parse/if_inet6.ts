import { firstLine } from "./lines.ts";

/** An IPv6 address of an interface. */
export interface InterfaceIpv6 {
  readonly interface: string;
  /** In its shortest form, as RFC 5952 writes it. */
  readonly address: string;
}

/**
 * Parses `/proc/net/if_inet6`: address, index, prefix length, scope, flags and name of each.
 *
 * @throws {SyntaxError} When a line is none of that; the message quotes it.
 */
export function parseIfInet6(text: string): InterfaceIpv6[] {
  return text.split("\n").filter((line) => line.trim() !== "").map((line) => {
    const [, digits = "", name = ""] =
      /^([0-9a-f]{32})(?: +[0-9a-f]{2,}){4} +(\S+)\s*$/.exec(line) ?? [];
    if (name === "") throw new SyntaxError(`Cannot parse if_inet6: "${firstLine(line)}"`);
    return { interface: name, address: shortest(digits) };
  });
}

function shortest(digits: string): string {
  const groups = digits.match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
