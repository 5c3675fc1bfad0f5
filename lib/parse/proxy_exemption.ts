import { addressBytes } from "./ip_address.ts";

/** Who is asked for. */
export interface ProxiedTarget {
  /** An IP literal without brackets, or a name in ASCII. */
  readonly host: string;
  readonly port: number;
}

/**
 * Whether `NO_PROXY` exempts a target: `*`, names with all that end in them (`example.com`,
 * `.example.com`), addresses and their ranges (`10.0.0.0/8`, `fd00::/8`), each with or without a
 * port, between commas or spaces.
 *
 * Loopback is as any other address. What can't be read exempts nothing.
 */
export function isExemptFromProxy(list: string, target: ProxiedTarget): boolean {
  const host = plainName(target.host);
  const address = addressBytes(host);
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === "*") return true;
    const { pattern, port } = parseEntry(entry);
    if (pattern === "" || (port !== undefined && port !== target.port)) return false;
    return address ? isInRange(address, pattern) : isWithin(host, plainName(pattern));
  });
}

function parseEntry(entry: string): { pattern: string; port?: number } {
  const [, bracketed, name, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(entry) ??
    [];
  // What is left is an IPv6 address or range without brackets.
  const pattern = bracketed ?? name ?? entry;
  return digits === undefined ? { pattern } : { pattern, port: Number(digits) };
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

function isWithin(host: string, pattern: string): boolean {
  const suffix = pattern.replace(/^\./, "");
  return suffix !== "" && (host === suffix || host.endsWith(`.${suffix}`));
}

function isInRange(address: readonly number[], pattern: string): boolean {
  const [, text = "", digits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(pattern) ?? [];
  const range = addressBytes(text);
  if (range?.length !== address.length) return false;
  const bits = digits === undefined ? address.length * 8 : Number(digits);
  if (bits > address.length * 8) return false;
  return address.every((byte, index) => {
    const counted = Math.min(8, Math.max(0, bits - index * 8));
    return ((byte ^ (range[index] ?? 0)) >> (8 - counted)) === 0;
  });
}
