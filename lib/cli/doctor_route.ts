/**
 * What the kernel says, for `doctor`, about the first step to an address that can't be reached.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { Netlink } from "../host/netlink.ts";
import { FAR_ADDRESSES, gatewaysFor, type Refusal, type Route, routeTo } from "../host/routes.ts";
import { advised } from "./checks.ts";
import { networkLogCommand } from "./doctor_commands.ts";
import { ipFamily } from "../parse/ip_address.ts";

/** What is seen of the first step to an address, and what to do about it. */
export interface RouteFinding {
  readonly text: string;
  readonly advice: readonly string[];
  /** Whether other causes are left; absent where this is one. */
  readonly isOne?: false;
}

/** The interface by which an address is reached; a word for it where the kernel does not tell. */
export function deviceTo(address: string, askRoute = kernelRoutes()): string {
  const route = attempt(() => askRoute(address));
  return route !== undefined && "device" in route ? route.device : "INTERFACE";
}

/** Asks the kernel for the way to an address; `undefined` where it does not tell. */
export type AskRoute = (address: string) => Route | Refusal | undefined;

/** The kernel, as this process may ask it. */
export function kernelRoutes(): AskRoute {
  const netlink = attempt(() => new Netlink());
  return (address) => netlink && routeTo(netlink, address);
}

function kernelGateways(address: string): ReturnType<typeof gatewaysFor> {
  const netlink = attempt(() => new Netlink());
  return netlink === undefined ? [] : gatewaysFor(netlink, address);
}

/**
 * Why no packet gets to an address: a route or rule that refuses it, or a next machine that does not
 * answer. `undefined` where the kernel sees neither.
 *
 * @param isPanels What to look at to see whether the address is the right one, if it has an origin.
 */
export function routeFinding(
  address: string,
  { askRoute, isPanels }: { askRoute: AskRoute; isPanels?: string | undefined },
): RouteFinding | undefined {
  const route = askRoute(address);
  if (route === undefined) return undefined;
  if ("kind" in route) {
    const finding = refused(address, route);
    return route.kind === "none" && defaultRoute(address, askRoute) === undefined
      ? {
        ...finding,
        text: `there is no default route of IPv${ipFamily(address)}: ${finding.text}`,
      }
      : finding;
  }
  const { device, gateway, hasCarrier, isSilent } = route;
  if (!isSilent) return undefined;
  const isOther = gateway === undefined && defaultRoute(address, askRoute)?.device !== device;
  const text = gateway === undefined
    ? `${address} is in the network ${
      route.network ?? ""
    } of ${device}, where no machine answers for it`
    : `the gateway ${gateway} of ${device} does not answer`;
  if (!hasCarrier && !isOther) {
    return {
      text: `${text}: ${device} has no carrier`,
      advice: [`${device}: check its cable, its Wi-Fi, or the network of the virtual machine`],
    };
  }
  const look = isPanels === undefined ? [] : [isPanels];
  if (gateway === undefined) {
    const overlap = isOther
      ? `if it is elsewhere, give ${device} another network, which does not have it: ip addr show ${device}`
      : `see whether the network of ${device} is so large, or its prefix wrong: ip addr show ${device}`;
    const start = `start that machine, or connect it to the network of ${device}`;
    return { text, advice: isOther ? [...look, overlap, start] : [...look, start, overlap] };
  }
  return {
    text,
    advice: [
      `see whether ${gateway} is the gateway of that network, and correct it if not: ` +
      `${ipFor(address)} route get ${address} uid ${Deno.uid()}; ${ipFor(address)} rule; ` +
      `${ipFor(address)} route show table all`,
      `start the gateway, or connect ${device} to its network: ip neigh show ${gateway}`,
    ],
  };
}

/** A finding where packets to an address go into a tunnel, or another way than by the default route. */
export function detourOf(
  address: string,
  askRoute = kernelRoutes(),
  gateways = kernelGateways(address),
): RouteFinding | undefined {
  const route = askRoute(address);
  if (route === undefined || !("device" in route) || route.device === "lo") return undefined;
  const { device, gateway, network, table } = route;
  const ip = ipFor(address);
  if (table !== undefined) {
    return {
      isOne: false,
      text: `a rule of this machine, as VPNs make them, sends it by ${device} (table ${table})`,
      advice: [
        `see whether anything comes back by ${device}, and end that VPN if not (wg-quick down ${device}): ip -s ` +
        `link show ${device}; ${ip} rule; ${ip} route show table ${table}`,
      ],
    };
  }
  const other = gateways.find((it) => it.device !== device);
  if (network === undefined && gateway !== undefined && other !== undefined) {
    return {
      isOne: false,
      text: `it is sent by ${device}, beside whose default route there is one by ${other.device}`,
      advice: [
        `see whether the other way leads there, and have it come first if so: ping -c 3 -I ${other.device} ` +
        `${address}; ${ip} route replace default via ${other.gateway} dev ${other.device} metric 1`,
      ],
    };
  }
  const byDefault = defaultRoute(address, askRoute);
  const usual = byDefault?.device;
  if (device === usual && !isTunnel(device)) {
    if (gateway === undefined || network === undefined || gateway === byDefault?.gateway) return;
    return {
      isOne: false,
      text:
        `it is sent to ${gateway} by the route ${network}, and not to ${byDefault?.gateway} of the ` +
        "default route",
      advice: [
        `see whether ${gateway} leads there, and remove that route if not: ${ip} route del ${network} via ` +
        gateway,
      ],
    };
  }
  return {
    isOne: false,
    text: device === usual || usual === undefined
      ? `it is sent by ${device}`
      : `it is sent by ${device}, and not by ${usual} of the default route`,
    advice: [
      `see whether anything gets through ${device}, and which route leads there: ip -s link show ${device}; ` +
      `${ip} route get ${address}`,
    ],
  };
}

/** A finding where answers of an address are dropped for the way that they come. */
export function filterFinding(address: string, packets: number): RouteFinding | undefined {
  if (packets <= 0) return undefined;
  const device = deviceTo(address);
  return {
    text:
      `meanwhile ${packets} packets were dropped here, which came by another interface than ${device}, ` +
      "by which this machine sends there (rp_filter)",
    advice: [
      "let them in: sysctl -w net.ipv4.conf.all.rp_filter=2",
      `or correct the route, if it is not to be by ${device}: ip route get ${address}`,
    ],
  };
}

/** Whether an interface has no cable: its packets go to another machine's program, or through another one. */
function isTunnel(device: string): boolean {
  // ARPHRD_PPP, ARPHRD_TUNNEL to ARPHRD_SIT, ARPHRD_IPGRE, and ARPHRD_NONE of WireGuard and tun.
  return ["512", "768", "769", "776", "778", "65534"].includes(
    attempt(() => Deno.readTextFileSync(`/sys/class/net/${device}/type`).trim()) ?? "",
  );
}

/** The way to what is far away, in the family of an address. */
function defaultRoute(address: string, askRoute: AskRoute): Route | undefined {
  const route = askRoute(FAR_ADDRESSES[ipFamily(address) ?? 4]);
  return route !== undefined && "device" in route ? route : undefined;
}

/** The command that shows and changes routes to an address. */
export function ipFor(address: string): string {
  return ipFamily(address) === 6 ? "ip -6" : "ip";
}

/** Why packets to an address have no way, in words, and what to do about it. */
export function refused(address: string, { kind, route, hasRules }: Refusal): RouteFinding {
  const ip = ipFor(address);
  if (kind === "none") {
    const rules =
      `see whether a rule sends it to a table without a route: ip rule; ${ip} route get ` +
      address;
    return {
      text: `no route of this machine leads to ${address}`,
      advice: advised(hasRules && rules, ...missingRouteAdvice(address)),
    };
  }
  return route === undefined
    ? {
      text: `a rule of this machine refuses ${address} (${kind})`,
      advice: [`see who has made it, such as a VPN, or remove it: ${ip} rule`],
    }
    : {
      text: `the route "${route}" of this machine refuses ${address}`,
      advice: [`see who has made it, such as a VPN, or remove it: ${ip} route del ${route}`],
    };
}

/** Shows whether the kernel takes what routers announce for IPv6, and what the log says of it. */
export function acceptedRouters(): string {
  return `sysctl -a -r 'v6.*(accept_ra|forwarding)$'; ${networkLogCommand()}`;
}

/** Advice where a route to an address is missing. */
export function missingRouteAdvice(address: string): string[] {
  const ip = ipFor(address);
  // DHCP gives no gateway of IPv6.
  const origin = ipFamily(address) === 6
    ? `if a router is to announce itself, see whether its advertisements are taken (accept_ra 1, or 2 on a ` +
      `machine that forwards): ${acceptedRouters()}`
    : `if its address is by DHCP, see why that gave no gateway: ${networkLogCommand()}`;
  return [
    origin,
    `else give it a gateway: ${ip} route add default via ADDRESS, and in the files of its network`,
  ];
}
