/**
 * What the kernel's tables say, for `doctor`, about the first step to an IPv4 address that can't be
 * reached.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { type Ipv4Route, parseRoutes } from "../parse/route.ts";

/**
 * What to do about the route to an address: one that refuses it, or whose gateway does not answer.
 * `undefined` for another family, and where the tables show neither.
 */
export function routeAdvice(address: string): string | undefined {
  const routes = attempt(() => parseRoutes(Deno.readTextFileSync("/proc/net/route")));
  const route = routes && routeTo(address, routes);
  if (route === undefined) return undefined;
  // The kernel shows no interface where it is to refuse.
  if (route.interface === "*") {
    return `a route of this machine refuses ${address} (blackhole, unreachable or prohibit): see ` +
      `ip route get ${address}, and remove it: ip route show table all | grep -E "blackhole|` +
      `unreachable|prohibit"`;
  }
  if (route.gateway === 0) return undefined;
  const gateway = dotted(route.gateway);
  const table = attempt(() => Deno.readTextFileSync("/proc/net/arp")) ?? "";
  const isSilent = table.split("\n").map((line) => line.trim().split(/\s+/)).some((
    [neighbor, , flags, , , name],
  ) => neighbor === gateway && name === route.interface && Number(flags) === 0);
  if (!isSilent) return undefined;
  return `the gateway ${gateway} of ${route.interface} does not answer (ip neigh show ${gateway}): ` +
    "start it, or correct the route: ip route";
}

/** The route with the longest prefix, the first of several: the kernel lists them by metric. */
function routeTo(address: string, routes: readonly Ipv4Route[]): Ipv4Route | undefined {
  if (!/^\d+(\.\d+){3}$/.test(address)) return undefined;
  const number = address.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
  return routes.filter(({ destination, mask }) => (number & mask) >>> 0 === destination)
    .reduce<Ipv4Route | undefined>(
      (best, it) => best === undefined || it.mask > best.mask ? it : best,
      undefined,
    );
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => address >>> shift & 255).join(".");
}
