import { lastOfNetwork } from "../parse/ip_address.ts";
import {
  type AddressMessage,
  parseAddressMessage,
  parsePreferredAddress,
} from "../parse/netlink.ts";
import type { InterfaceAddress } from "./host.ts";
import type { Netlink } from "./netlink.ts";

const RTM_GETADDR = 22;
const RTM_GETROUTE = 26;
const AF_INET = 2;
const AF_INET6 = 10;
const RTA_DST = 1;

/** Addresses far away, of which the kernel says from where it would reach them; nothing is sent. */
const FAR = {
  [AF_INET]: [1, 1, 1, 1],
  [AF_INET6]: [0x26, 0x06, 0x47, 0x00, 0x47, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x11],
} as const;

/** Of IPv6; of IPv4 the bit says that it is no network's first one. */
const IFA_F_TEMPORARY = 0x1;
/** It is being tried for duplicates, meanwhile with it in use. */
const IFA_F_OPTIMISTIC = 0x4;
const IFA_F_DADFAILED = 0x8;
const IFA_F_DEPRECATED = 0x20;
/** It is being tried for duplicates. */
const IFA_F_TENTATIVE = 0x40;

/**
 * The addresses of this machine's interfaces, IPv4 before IPv6, asked over netlink; `undefined` where
 * the kernel does not tell.
 */
export function listInterfaceAddresses(netlink: Netlink): InterfaceAddress[] | undefined {
  const messages = netlink.list(RTM_GETADDR, [0, 0]);
  if (messages === undefined) return undefined;
  const found = messages.map(parseAddressMessage).filter((it) => it !== undefined);
  const preferred = new Set([preferredOf(netlink, AF_INET), preferredOf(netlink, AF_INET6)]);
  const names = new Map<number, string>();
  for (const { index } of found) names.set(index, netlink.link(index)?.name ?? "");
  return found.map((it) => ({
    name: names.get(it.index) ?? "",
    family: it.address.includes(":") ? "IPv6" as const : "IPv4" as const,
    address: it.address,
    ...(it.broadcasts.length > 0 && { broadcasts: it.broadcasts }),
    preference: preferenceFor(it, preferred.has(it.address)),
  }));
}

/** The same, asked of the runtime, which does not tell the preference; the seal forbids it. */
export function askRuntimeForAddresses(): InterfaceAddress[] {
  return Deno.networkInterfaces().map(({ name, family, address, cidr }) => {
    const last = lastOfNetwork(address, Number(cidr.split("/")[1]));
    return { name, family, address, ...(last && { broadcasts: [last] }) };
  });
}

/** The address from which this machine reaches others of a family. */
function preferredOf(netlink: Netlink, family: keyof typeof FAR): string | undefined {
  const to = FAR[family];
  const words = new Uint32Array(Uint8Array.from(to).buffer);
  const lengths = family | 8 * to.length << 8;
  const answer = netlink.ask(RTM_GETROUTE, [
    ...[lengths, 0, 0],
    ...[RTA_DST << 16 | 4 + to.length, ...words],
  ]);
  return answer && parsePreferredAddress(answer);
}

function preferenceFor(
  { address, flags }: AddressMessage,
  isPreferred: boolean,
): InterfaceAddress["preference"] {
  const isTried = (flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) === IFA_F_TENTATIVE;
  if (isTried || (flags & (IFA_F_DADFAILED | IFA_F_DEPRECATED)) !== 0) return "unusable";
  if (address.includes(":") && (flags & IFA_F_TEMPORARY) !== 0) return "temporary";
  return isPreferred ? "preferred" : "usual";
}
