/**
 * How the kernel would send to an address, asked over netlink: by its rules, all of its tables, and the
 * user of this process. Nothing is sent.
 *
 * @module
 */

import { addressBytes } from "../parse/ip_address.ts";
import type { Netlink } from "./netlink.ts";

/** Addresses far away, of each family, of which the kernel says how it would reach them. */
export const FAR_ADDRESSES = { 4: "1.1.1.1", 6: "2606:4700:4700::1111" } as const;

const RTM_GETROUTE = 26;
const RTA_DST = 1;
const RTA_SRC = 2;
const FAMILIES: Readonly<Record<number, number>> = { 4: 2, 16: 10 };

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
