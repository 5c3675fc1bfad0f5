/**
 * How the kernel would send to an address, asked over netlink: by its rules, all of its tables, and the
 * user of this process. Nothing is sent.
 *
 * @module
 */

import { addressBytes } from "../parse/ip_address.ts";
import { parseRouteKind } from "../parse/netlink.ts";
import type { RouteScope } from "./host.ts";
import type { Netlink } from "./netlink.ts";

/** Addresses far away, of each family, of which the kernel says how it would reach them. */
export const FAR_ADDRESSES = { 4: "1.1.1.1", 6: "2606:4700:4700::1111" } as const;

const RTM_GETROUTE = 26;
const RTA_DST = 1;
const FAMILIES: Readonly<Record<number, number>> = { 4: 2, 16: 10 };

/** The kernel's answer to `RTM_GETROUTE` for an address; `undefined` for another text, or without one. */
export function askForRoute(netlink: Netlink, address: string): Uint8Array | undefined {
  const to = addressBytes(address);
  if (to === undefined) return undefined;
  return netlink.ask(RTM_GETROUTE, [
    ...[(FAMILIES[to.length] ?? 0) | 8 * to.length << 8, 0, 0],
    ...[RTA_DST << 16 | 4 + to.length, ...new Uint32Array(Uint8Array.from(to).buffer)],
  ]);
}

/** By `RTN_…` of `linux/rtnetlink.h`; what is sent to an anycast address of its own a machine gets itself. */
const SCOPES: ReadonlyMap<number, RouteScope> = new Map([
  ...[[2, "local"], [3, "broadcast"], [4, "local"], [5, "multicast"]] as const,
]);

/** Where the kernel would send to an address, if not to another machine; `undefined` also without an answer. */
export function routeScope(netlink: Netlink, address: string): RouteScope | undefined {
  const answer = askForRoute(netlink, address);
  return answer && SCOPES.get(parseRouteKind(answer) ?? 0);
}
