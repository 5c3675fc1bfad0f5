/**
 * Looks, for `doctor`, whether this machine and a panel have no family of addresses in common.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { FAR_ADDRESSES } from "../host/routes.ts";
import { addressBytes, addressScope, ipFamily } from "../parse/ip_address.ts";
import { advised } from "./checks.ts";
import { networkLogCommand } from "./doctor_commands.ts";
import { acceptedRouters, type AskRoute, type RouteFinding } from "./doctor_route.ts";
import { endpointPlace, given } from "./doctor_options.ts";
import { addressesOf, firstHop, type Way } from "./doctor_way.ts";

/** Whether this machine has no IPv6 at all. */
const IPV6_OFF = "/proc/sys/net/ipv6/conf/all/disable_ipv6";

/** A family of addresses that this machine lacks. */
interface Lack {
  readonly family: 4 | 6;
  readonly other: 4 | 6;
  /** The interface that leads out, by the other family. */
  readonly device: string;
}

/** The one family of some addresses, where this machine gets out by the other one alone; or an unusable address. */
function lackOf(addresses: readonly string[], askRoute: AskRoute): Lack | RouteFinding | undefined {
  const [family, ...others] = new Set(addresses.map((it) => ipFamily(it)));
  if (family === undefined || others.length > 0) return undefined;
  const other = family === 4 ? 6 : 4;
  const route = askRoute(addresses[0] ?? "");
  if (route === undefined || ("kind" in route && route.kind !== "none")) return undefined;
  // An address of the cable alone is taken where there is no other one.
  const source = "device" in route ? route.source : undefined;
  if (source !== undefined && addressScope(source) !== "link-local") return undefined;
  const unusable = family === 6 ? unusableAddress() : undefined;
  if (unusable !== undefined) return unusable;
  const out = askRoute(FAR_ADDRESSES[other]);
  if (out === undefined || !("device" in out)) return undefined;
  const { device } = out;
  // Of the interface that leads out: that of a bridge of containers leads nowhere.
  const hasAddress = (attempt(() => Deno.networkInterfaces()) ?? []).some(({ name, address }) =>
    name === device && ipFamily(address) === family && addressScope(address) !== "link-local"
  );
  return hasAddress ? undefined : { family, other, device };
}

/** A finding where all name servers are of the one family, and this machine gets out by the other one alone. */
export function serverFamilyFinding(
  servers: readonly string[],
  { file, askRoute }: { file: string; askRoute: AskRoute },
): RouteFinding | undefined {
  const lack = lackOf(servers, askRoute);
  if (lack === undefined || "text" in lack) return lack;
  const { family, other, device } = lack;
  const [all, far] = [servers.join(", "), FAR_ADDRESSES[other]];
  return {
    text:
      `${all} is of IPv${family}, and ${device}, by which this machine gets out, has IPv${other} addresses alone`,
    advice: [`name a server with an IPv${other} address in ${file}, such as ${far}`],
  };
}

/** A finding where all addresses are of the one family, and this machine gets out by the other one alone. */
export function familyFinding(way: Way, askRoute: AskRoute): RouteFinding | undefined {
  const { host } = firstHop(way);
  const addresses = addressesOf(way);
  const lack = lackOf(addresses, askRoute);
  if (lack === undefined || "text" in lack) return lack;
  const { family, other, device } = lack;
  const whose = host === addresses[0]
    ? `${host} is an IPv${family} address`
    : `${host} has IPv${family} addresses alone`;
  const named = host === addresses[0]
    ? `write a name of the panel with an IPv${other} address into ${endpointPlace(way)}`
    : `give ${host} an IPv${other} address of its server (${family === 4 ? "AAAA" : "A"} record)`;
  const proxy = way.url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const log = family === 4 ? networkLogCommand() : acceptedRouters();
  const isOff = family === 6 && attempt(() => Deno.readTextFileSync(IPV6_OFF))?.trim() === "1";
  return {
    text:
      `${whose}, and ${device}, by which this machine gets out, has IPv${other} addresses alone`,
    advice: advised(
      isOff &&
        "switch IPv6 on, which is off here: sysctl -w net.ipv6.conf.all.disable_ipv6=0, and in /etc/sysctl.d",
      `${named}, or have a CDN with both stand before it, such as Cloudflare`,
      family === 4 &&
        `or give the panel by a name, and ask a name server that gives addresses of a NAT64 (DNS64), if the ` +
          `provider has one: ${given(way, "--custom-dns ADDRESS")}`,
      `or go through a proxy that has both: ${given(way, `${proxy}=http://HOST:PORT`)}`,
      !isOff && `if ${device} is to have an IPv${family} address, see why it has none: ${log}`,
    ),
  };
}

const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;

/** The kernel's word for an address of IPv6 of this machine that can't be used, by that; else `undefined`. */
export function unusableStates(): (address: string) => "tentative" | "dadfailed" | undefined {
  const lines = (attempt(() => Deno.readTextFileSync("/proc/net/if_inet6")) ?? "").split("\n");
  const all = new Map(lines.map((line) => {
    const [address = "", , , , flags = ""] = line.trim().split(/\s+/);
    return [address, parseInt(flags, 16)];
  }));
  return (address) => {
    const bytes = addressBytes(address) ?? [];
    const flags = all.get(bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")) ?? 0;
    if ((flags & IFA_F_DADFAILED) !== 0) return "dadfailed";
    return (flags & IFA_F_TENTATIVE) !== 0 ? "tentative" : undefined;
  };
}

/** A finding where an address of IPv6 of this machine can't be used. */
function unusableAddress(): RouteFinding | undefined {
  const stateOf = unusableStates();
  const [found] = (attempt(() => Deno.networkInterfaces()) ?? [])
    .filter(({ address }) => stateOf(address) !== undefined);
  if (found === undefined) return undefined;
  const { name, address } = found;
  const state = stateOf(address);
  return {
    text: `${address} of ${name} can't be used (${state})`,
    advice: [
      state === "dadfailed"
        ? `another machine in the network of ${name} has that address, too: give one of them another one`
        : `wait until the kernel has seen that no other machine has it: ip -6 addr show dev ${name} tentative`,
    ],
  };
}
