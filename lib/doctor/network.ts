/**
 * Whether this machine can send anything beyond itself: its interfaces and default routes.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { addressScope, ipFamily, isLoopbackHost } from "../parse/ip_address.ts";
import { failed, type Finding, ok, skipped } from "./check.ts";

/** An interface other than the loopback, with the addresses that reach beyond its cable. */
interface InterfaceFacts {
  readonly name: string;
  readonly isUp: boolean;
  readonly hasCarrier: boolean;
  readonly addresses: readonly string[];
}

export interface NetworkEvidence {
  readonly interfaces: readonly InterfaceFacts[];
  /** The families that have a default route; `undefined` where the kernel does not tell. */
  readonly routes: readonly (4 | 6)[] | undefined;
}

/** Looks at the interfaces and routes of this process's network; `undefined` where nothing tells. */
export function gatherNetwork(): NetworkEvidence | undefined {
  const read = (path: string) => attempt(() => Deno.readTextFileSync(path));
  const listed = attempt(() => Deno.networkInterfaces());
  const devices = read("/proc/net/dev")?.matchAll(/^\s*([^:\s]+):/gm);
  if (listed === undefined || devices === undefined) return undefined;
  const names = [...devices].map(([, name = ""]) => name).filter((name) => !/^lo\d*$/.test(name));
  const interfaces = names.map((name) => ({
    name,
    isUp: (Number(read(`/sys/class/net/${name}/flags`) ?? 1) & 1) === 1,
    hasCarrier: read(`/sys/class/net/${name}/carrier`)?.trim() !== "0",
    addresses: listed.filter((it) => it.name === name).map(({ address }) => address)
      .filter((address) => addressScope(address) !== "link-local"),
  }));
  const [ipv4, ipv6] = [read("/proc/net/route"), read("/proc/net/ipv6_route") ?? ""];
  // Destination and mask 0; the kernel's own of IPv6, which refuses, is by the loopback.
  const has4 = /^(?!lo)\S+\t00000000\t\w+\t\w+(?:\t\w+){3}\t00000000/m;
  const has6 = /^0{32} 00 .* (?!lo)\S+$/m;
  const routes = ipv4 === undefined
    ? undefined
    : [has4.test(ipv4) ? [4 as const] : [], has6.test(ipv6) ? [6 as const] : []].flat();
  return { interfaces, routes };
}

/**
 * Judges them. Without an address nothing is reached; a route is missing only where the kernel itself says
 * that it has none to the host, or to the name server that was asked about it.
 */
export function judgeNetwork(
  evidence: NetworkEvidence | undefined,
  { host, isReached, isUnreachable }: { host: string; isReached: boolean; isUnreachable: boolean },
): Finding {
  if (isLoopbackHost(host)) return ok(`not needed: ${host} is this machine`);
  if (evidence === undefined) return skipped("this system does not list its interfaces");
  const { interfaces, routes } = evidence;
  const usable = interfaces.filter(({ isUp, addresses }) => isUp && addresses.length > 0);
  if (usable.length === 0 && !isReached) {
    const [first] = interfaces;
    const states = interfaces.map(({ name, isUp, hasCarrier }) =>
      `${name} ${!isUp ? "is down" : hasCarrier ? "has no address" : "has no carrier"}`
    );
    return failed(
      interfaces.length === 0
        ? "there is no network interface but the loopback"
        : `no interface has an address: ${states.join(", ")}`,
      first !== undefined && !first.isUp && `switch it on: ip link set ${first.name} up`,
      first?.hasCarrier === false &&
        "check the network of the virtual machine, the cable or the Wi-Fi",
      first?.isUp && first.hasCarrier && "see why it gets no address: journalctl -b | grep -i dhcp",
      first === undefined &&
        "see which there are: ip link; a container: start it without --network none",
      first === undefined &&
        "see whether its unit has PrivateNetwork=: systemctl cat komari-agent-deno",
    );
  }
  const shown = usable.map(({ name, addresses }) => `${name} ${addresses[0]}`).join(", ");
  const family = ipFamily(host);
  const lacksRoute = routes !== undefined &&
    (family === undefined ? routes.length === 0 : !routes.includes(family));
  const lacksFamily = family !== undefined &&
    !usable.some(({ addresses }) => addresses.some((it) => ipFamily(it) === family));
  if (!isUnreachable || !lacksRoute || lacksFamily) return ok(shown);
  const ip = family === 6 ? "ip -6" : "ip";
  return failed(
    `${shown}; there is no default route${
      family === undefined ? "" : ` of IPv${family}`
    }, and ${host} can't be reached`,
    `give it a gateway, and in the files of its network: ${ip} route add default via ADDRESS`,
  );
}
