/**
 * How the kernel would send to an address, asked over netlink: by its rules, all of its tables, and the
 * user of this process. Nothing is sent.
 *
 * @module
 */

import { addressBytes } from "../parse/ip_address.ts";
import {
  parseErrorNumber,
  parseNeighbourMessage,
  parseRouteMessage,
  type RouteMessage,
} from "../parse/netlink.ts";
import type { Netlink } from "./netlink.ts";

/** Addresses far away, of each family, of which the kernel says how it would reach them. */
export const FAR_ADDRESSES = { 4: "1.1.1.1", 6: "2606:4700:4700::1111" } as const;

/** The way of packets to an address. */
export interface Route {
  readonly device: string;
  /** Whether the device has a carrier, or needs none. */
  readonly hasCarrier: boolean;
  /** The next machine on the way; `undefined` where the address is on the same link. */
  readonly gateway: string | undefined;
  /** The address from which is sent. */
  readonly source: string | undefined;
  /** The destination of the route, such as `192.0.2.0/24`; `undefined` for a default route. */
  readonly network: string | undefined;
  /** Whether the next machine, the gateway or the address itself, was asked for and does not answer. */
  readonly isSilent: boolean;
  /** The table to which a rule has sent it; absent for those of the kernel's own rules. */
  readonly table?: number;
}

/** Why packets to an address have no way. */
export interface Refusal {
  /** What refuses it, or `none` where nothing leads there. */
  readonly kind: "blackhole" | "prohibit" | "unreachable" | "none";
  /** The route that does, as `ip route` writes it; `undefined` where it is a rule. */
  readonly route: string | undefined;
  /** Whether this machine has rules of its own, which may send it to a table that has no route. */
  readonly hasRules: boolean;
}

const RTM_GETROUTE = 26;
const RTM_GETNEIGH = 30;
const RTM_GETRULE = 34;
const RTA_DST = 1;
const RTA_SRC = 2;
/** Asks for the entry of the table in place of what it makes of the address. */
const RTM_F_FIB_MATCH = 0x2000;
/** Has the kernel name the table, in place of the main one. */
const RTM_F_LOOKUP_TABLE = 0x1000;
const FAMILIES: Readonly<Record<number, number>> = { 4: 2, 16: 10 };
/** The kernel's own: for IPv4 local, main and default, for IPv6 the first two. */
const OWN_RULES: Readonly<Record<number, number>> = { 4: 3, 16: 2 };
const MAIN_TABLE = 254;
/** Default, main and local, and none. */
const OWN_TABLES = [253, MAIN_TABLE, 255, 0];

/** Errors by which the kernel says that a route or rule refuses, by their numbers; others mean none. */
const REFUSALS: Readonly<Record<number, Refusal["kind"]>> = {
  22: "blackhole",
  13: "prohibit",
  113: "unreachable",
};
/** `RTN_…` of `linux/rtnetlink.h`. */
const ROUTE_KINDS: Readonly<Record<number, Refusal["kind"]>> = {
  6: "blackhole",
  7: "unreachable",
  8: "prohibit",
};

const IFF_LOWER_UP = 0x10000;
/** `NUD_INCOMPLETE` and `NUD_FAILED` of `linux/neighbour.h`. */
const NUD_SILENT = 0x21;

/** The kernel's answer to `RTM_GETROUTE` for an address; `undefined` for another text, or without one. */
export function askForRoute(
  netlink: Netlink,
  address: string,
  { flags = 0, source = "" }: { flags?: number; source?: string } = {},
): Uint8Array | undefined {
  const [to, from = []] = [address, source].map(addressBytes);
  if (to === undefined) return undefined;
  const attribute = (type: number, bytes: readonly number[]) =>
    bytes.length === 0
      ? []
      : [type << 16 | 4 + bytes.length, ...new Uint32Array(Uint8Array.from(bytes).buffer)];
  const lengths = 8 * to.length << 8 | 8 * from.length << 16;
  return netlink.ask(RTM_GETROUTE, [
    ...[(FAMILIES[to.length] ?? 0) | lengths, 0, flags],
    ...[...attribute(RTA_DST, to), ...attribute(RTA_SRC, from)],
  ]);
}

/**
 * The way to an address, or why there is none; `undefined` where the kernel does not tell. As for a
 * connection, the kernel is asked again with the source that it has chosen, for which rules may be.
 */
export function routeTo(netlink: Netlink, address: string): Route | Refusal | undefined {
  const first = askForRoute(netlink, address);
  const source = first && parseRouteMessage(first)?.source;
  const answer = source === undefined ? first : askForRoute(netlink, address, { source });
  if (answer === undefined) return undefined;
  const error = parseErrorNumber(answer);
  if (error !== undefined) return refusalOf(netlink, address, REFUSALS[error] ?? "none");
  const { index, gateway } = parseRouteMessage(answer) ?? {};
  const link = index === undefined ? undefined : netlink.link(index);
  if (link === undefined) return undefined;
  const next = gateway ?? address;
  const entry = askForRoute(netlink, address, {
    flags: RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE,
    source,
  });
  const { destination, prefix, table } = entry && parseRouteMessage(entry) || {};
  return {
    device: link.name,
    hasCarrier: (link.flags & IFF_LOWER_UP) !== 0,
    gateway,
    source,
    network: destination === undefined ? undefined : `${destination}/${prefix}`,
    isSilent: isSilent(netlink, next, link.index),
    ...table !== undefined && !OWN_TABLES.includes(table) && { table },
  };
}

/** All default routes of an address's family that have a gateway, whatever the kernel makes of them. */
export function gatewaysFor(
  netlink: Netlink,
  address: string,
): { device: string; gateway: string }[] {
  const routes = netlink.list(RTM_GETROUTE, [familyOf(address), 0, 0]) ?? [];
  return routes.flatMap((message) => {
    const { destination, table, index, gateway } = parseRouteMessage(message) ?? {};
    const isDefault = destination === undefined && table === MAIN_TABLE;
    const link = isDefault && index !== undefined ? netlink.link(index) : undefined;
    return link === undefined || gateway === undefined ? [] : [{ device: link.name, gateway }];
  });
}

function isSilent(netlink: Netlink, address: string, index: number): boolean {
  const all = netlink.list(RTM_GETNEIGH, [familyOf(address), 0, 0]) ?? [];
  const shown = addressBytes(address)?.join();
  return all.map(parseNeighbourMessage).some((it) =>
    it?.index === index && (it.state & NUD_SILENT) !== 0 &&
    addressBytes(it.address)?.join() === shown
  );
}

function refusalOf(netlink: Netlink, address: string, kind: Refusal["kind"]): Refusal {
  const family = familyOf(address);
  const rules = netlink.list(RTM_GETRULE, [family, 0, 0]) ?? [];
  const own = OWN_RULES[addressBytes(address)?.length ?? 0] ?? 0;
  const routes = kind === "none" ? [] : netlink.list(RTM_GETROUTE, [family, 0, 0]) ?? [];
  const [route] = routes.map(parseRouteMessage).filter((it) => it !== undefined)
    .filter((it) => ROUTE_KINDS[it.kind] === kind && covers(it, address))
    .toSorted((one, other) => other.prefix - one.prefix);
  return { kind, route: route && routeText(route, kind), hasRules: rules.length > own };
}

function familyOf(address: string): number {
  return FAMILIES[addressBytes(address)?.length ?? 0] ?? 0;
}

/** Whether an address is one of a route's destination. */
function covers({ destination, prefix }: RouteMessage, address: string): boolean {
  if (destination === undefined) return true;
  const bits = (text: string) =>
    (addressBytes(text) ?? []).map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits(address).startsWith(bits(destination).slice(0, prefix));
}

/** A route that refuses, in the words of `ip route`. */
function routeText({ destination, prefix, table }: RouteMessage, kind: string): string {
  const to = destination === undefined ? "default" : `${destination}/${prefix}`;
  return `${kind} ${to}${table === MAIN_TABLE ? "" : ` table ${table}`}`;
}
