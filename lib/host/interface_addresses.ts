import { addressBytes, lastOfNetwork } from "../parse/ip_address.ts";
import { type AddressMessage, parseAddressMessage, parseRouteKind } from "../parse/netlink.ts";
import type { InterfaceAddress, RouteScope } from "./host.ts";
import type { Netlink } from "./netlink.ts";

const RTM_GETADDR = 22;
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
  const names = new Map<number, string>();
  for (const { index } of found) names.set(index, netlink.link(index)?.name ?? "");
  return found.map((it) => ({
    name: names.get(it.index) ?? "",
    family: it.address.includes(":") ? "IPv6" as const : "IPv4" as const,
    address: it.address,
    preference: preferenceFor(it),
  }));
}

/** The same, asked of the runtime, which does not tell the preference; the seal forbids it. */
export function askRuntimeForAddresses(): InterfaceAddress[] {
  return Deno.networkInterfaces().map(({ name, family, address, cidr }) => {
    const last = lastOfNetwork(address, Number(cidr.split("/")[1]));
    return { name, family, address, ...(last && { broadcasts: [last] }) };
  });
}

function preferenceFor({ address, flags }: AddressMessage): InterfaceAddress["preference"] {
  const isTried = (flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) === IFA_F_TENTATIVE;
  if (isTried || (flags & (IFA_F_DADFAILED | IFA_F_DEPRECATED)) !== 0) return "unusable";
  return address.includes(":") && (flags & IFA_F_TEMPORARY) !== 0 ? "temporary" : "usual";
}

const RTM_GETROUTE = 26;
const RTA_DST = 1;
const FAMILIES: Readonly<Record<number, number>> = { 4: 2, 16: 10 };

/** By `RTN_…` of `linux/rtnetlink.h`; what is sent to an anycast address of its own a machine gets itself. */
const SCOPES: ReadonlyMap<number, RouteScope> = new Map([
  ...[[2, "local"], [3, "broadcast"], [4, "local"], [5, "multicast"]] as const,
]);

/** Where the kernel would send to an address, if not to another machine; `undefined` also without an answer. */
export function routeScope(netlink: Netlink, address: string): RouteScope | undefined {
  const to = addressBytes(address);
  if (to === undefined) return undefined;
  const answer = netlink.ask(RTM_GETROUTE, [
    ...[(FAMILIES[to.length] ?? 0) | 8 * to.length << 8, 0, 0],
    ...[RTA_DST << 16 | 4 + to.length, ...new Uint32Array(Uint8Array.from(to).buffer)],
  ]);
  return answer && SCOPES.get(parseRouteKind(answer) ?? 0);
}
