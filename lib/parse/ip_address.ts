/**
 * IP address literals and their scope, by IANA's special-purpose address registries.
 *
 * `ipaddr.js` is not used: it takes 3fff::/20, fec0::/10 and unassigned IPv6 space for unicast, and
 * costs memory as a CommonJS module.
 *
 * @module
 */

/** Reach of an address; `reserved` covers documentation, transition and unassigned ranges. */
export type AddressScope =
  | "public"
  | "private"
  | "link-local"
  | "loopback"
  | "multicast"
  | "broadcast"
  | "unspecified"
  | "reserved";

/**
 * Family of an IP address literal; `undefined` for any other text.
 *
 * IPv4 needs four decimal parts without leading zeros. Brackets, ports, prefix lengths and zones
 * (`fe80::1%eth0`) are rejected.
 */
export function ipFamily(text: string): 4 | 6 | undefined {
  if (ipv4Parts(text)) return 4;
  return ipv6Groups(text) ? 6 : undefined;
}

/** The 4 or 16 bytes of an IP address literal; `undefined` for any other text. */
export function addressBytes(text: string): readonly number[] | undefined {
  return ipv4Parts(text) ?? ipv6Groups(text)?.flatMap((group) => [group >> 8, group & 0xff]);
}

/** Scope of an IPv4 or IPv6 literal; `undefined` when the text is not an address. */
export function addressScope(text: string): AddressScope | undefined {
  const ipv4 = ipv4Parts(text);
  if (ipv4) return ipv4Scope(ipv4);
  const groups = ipv6Groups(text);
  return groups && ipv6Scope(groups);
}

/**
 * The last address of a network of IPv4, which all of its machines answer to; `undefined` where it is
 * an address like others, and for IPv6.
 *
 * @param address Any address of the network.
 */
export function lastOfNetwork(address: string, prefixLength: number): string | undefined {
  const parts = ipv4Parts(address);
  if (parts === undefined || prefixLength > 30) return undefined;
  const bits = (index: number) => Math.max(0, Math.min(8, prefixLength - 8 * index));
  return parts.map((part, index) => part | 0xff >> bits(index)).join(".");
}

/** Whether the host of a URL, without brackets, is this machine. */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || addressScope(host) === "loopback";
}

/**
 * The IPv4 addresses that packets to an IPv6 address may end at: for one that is mapped, compatible,
 * translated (SIIT, NAT64) or of 6to4. The network of NAT64 may have the address in several places.
 */
export function ipv4Within(text: string): string[] {
  const groups = ipv6Groups(text) ?? [];
  const prefix = groups.slice(0, 6).map((group) => group.toString(16)).join(":");
  const at = (...indexes: number[]) => {
    const bytes = groups.flatMap((group) => [group >> 8, group & 0xff]);
    return indexes.map((index) => bytes[index]).join(".");
  };
  const last = at(12, 13, 14, 15);
  // :: and ::1 are no addresses of IPv4.
  if (prefix === "0:0:0:0:0:0") return last.startsWith("0.0.0.") ? [] : [last];
  if (["0:0:0:0:0:ffff", "0:0:0:0:ffff:0", "64:ff9b:0:0:0:0"].includes(prefix)) return [last];
  if (prefix.startsWith("2002:")) return [at(2, 3, 4, 5)];
  if (!prefix.startsWith("64:ff9b:1:")) return [];
  const places = [last, at(9, 10, 11, 12), at(7, 9, 10, 11), at(6, 7, 9, 10)];
  return places.filter((place) => !place.startsWith("0."));
}

/** Whether the text is a globally reachable unicast address. */
export function isPublicAddress(text: string): boolean {
  return addressScope(text) === "public";
}

function ipv4Parts(text: string): number[] | undefined {
  if (text.length > 15) return undefined;
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const numbers: number[] = [];
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    numbers.push(Number(part));
  }
  return numbers;
}

/** The eight groups of an IPv6 literal. */
function ipv6Groups(text: string): number[] | undefined {
  if (text.length > 45 || !text.includes(":")) return undefined;
  const gap = text.indexOf("::");
  if (gap < 0) {
    const groups = groupList(text, true);
    return groups?.length === 8 ? groups : undefined;
  }
  const left = text.slice(0, gap);
  const right = text.slice(gap + 2);
  const head = left === "" ? [] : groupList(left, false);
  const tail = right === "" ? [] : groupList(right, true);
  if (!head || !tail) return undefined;
  const zeros = 8 - head.length - tail.length;
  return zeros < 1 ? undefined : [...head, ...Array<number>(zeros).fill(0), ...tail];
}

function groupList(text: string, mayEndInIpv4: boolean): number[] | undefined {
  const words = text.split(":");
  const groups: number[] = [];
  for (const [index, word] of words.entries()) {
    if (/^[0-9A-Fa-f]{1,4}$/.test(word)) {
      groups.push(parseInt(word, 16));
      continue;
    }
    const ipv4 = mayEndInIpv4 && index === words.length - 1 ? ipv4Parts(word) : undefined;
    if (!ipv4) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = ipv4;
    groups.push(a * 256 + b, c * 256 + d);
  }
  return groups;
}

function ipv4Scope([a = 0, b = 0, c = 0, d = 0]: number[]): AddressScope {
  if (a === 127) return "loopback";
  if (a === 169 && b === 254) return "link-local";
  if (a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)) return "private";
  // 100.64.0.0/10 is shared by customers behind carrier-grade NAT.
  if (a === 100 && b >= 64 && b < 128) return "private";
  // On Linux all of 0.0.0.0/8 is this machine or nothing.
  if (a === 0) return "unspecified";
  if (a >= 224 && a < 240) return "multicast";
  if (a >= 240) return a + b + c + d === 4 * 255 ? "broadcast" : "reserved";
  if (a === 192 && b === 0 && (c === 0 || c === 2)) return "reserved";
  if (a === 192 && b === 88 && c === 99) return "reserved";
  if (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) return "reserved";
  if (a === 203 && b === 0 && c === 113) return "reserved";
  return "public";
}

function ipv6Scope(groups: number[]): AddressScope {
  const [a = 0, b = 0] = groups;
  if (groups.slice(0, 7).every((group) => group === 0)) {
    if (groups[7] === 0) return "unspecified";
    if (groups[7] === 1) return "loopback";
  }
  if (a >= 0xff00) return "multicast";
  if (a >= 0xfe80 && a <= 0xfebf) return "link-local";
  // fec0::/10 was "site-local" before unique local addresses replaced it.
  if ((a >= 0xfc00 && a <= 0xfdff) || (a >= 0xfec0 && a <= 0xfeff)) return "private";
  if (a < 0x2000 || a > 0x3fff) return "reserved";
  // 2001::/23 is protocol assignments (Teredo among them), 2002::/16 is 6to4.
  if (a === 0x2001 && (b < 0x0200 || b === 0x0db8)) return "reserved";
  if (a === 0x2002 || (a === 0x3fff && b < 0x1000)) return "reserved";
  return "public";
}
