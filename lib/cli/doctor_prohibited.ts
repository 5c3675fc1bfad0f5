/**
 * Looks, for `doctor`, whether a firewall refuses a connection, and on which side of the cable.
 *
 * @module
 */

import { isTimeout } from "../async/timeout.ts";
import { isLoopbackHost } from "../parse/ip_address.ts";
import { connectError, kernelCount } from "./doctor_loss.ts";
import type { RouteFinding } from "./doctor_route.ts";
import { addressOf, firstHop, originLook, type Way } from "./doctor_way.ts";

/** Others may be refused something at the same time, but not each time. */
const TIMES = 3;
/** Longer than it takes to refuse. */
const REFUSAL_MS = 300;

/** A finding where a firewall refuses connections, here or there. */
export async function firewallFinding(
  way: Way,
  signal: AbortSignal,
): Promise<RouteFinding | undefined> {
  const { port } = firstHop(way);
  const address = addressOf(way);
  if (isLoopbackHost(address)) return undefined;
  const place = await prohibitedAt(address, { port, signal });
  if (place === undefined) return undefined;
  if (place === "here") {
    return {
      text: "a firewall of this machine refuses it (by ICMP)",
      advice: [`have it let port ${port} of ${address} pass: nft list ruleset || iptables-save`],
    };
  }
  return refusedThere(way);
}

/** What is said where a firewall refuses it on the other side of the cable. */
export function refusedThere(way: Way): RouteFinding {
  const { port } = firstHop(way);
  const address = addressOf(way);
  return {
    isOne: false,
    text: "a firewall there, or on the way, refuses it (by ICMP)",
    advice: [
      `have the firewall of that machine let port ${port} pass: firewall-cmd --permanent ` +
      `--add-port=${port}/tcp && firewall-cmd --reload; ufw allow ${port}/tcp; or, where other machines ` +
      "reach it, lift the ban of this machine's address: fail2ban-client unban ADDRESS",
      ...originLook(way),
      `see which one on the way refuses it, if none there does, as a provider's: traceroute -n -T -p ${port} ` +
      address,
    ],
  };
}

/**
 * Where connections to an address are refused by ICMP, as firewalls do, by the kernel's counts of such
 * messages; `undefined` where it is by none.
 */
async function prohibitedAt(
  address: string,
  { port, signal }: { port: number; signal: AbortSignal },
): Promise<"here" | "there" | undefined> {
  const places: ("here" | "there")[] = [];
  for (let time = 0; time < TIMES; time++) {
    const before = counts();
    const error = await connectError(address, { port, timeoutMs: REFUSAL_MS, signal });
    if (error === undefined) return undefined;
    // A kernel limits how many of these messages it sends.
    if (isTimeout(error)) continue;
    const after = counts();
    if (after.received === before.received) return undefined;
    // This machine's own firewall sends them to itself.
    places.push(after.sent > before.sent ? "here" : "there");
  }
  return places.includes("there") ? "there" : places[0];
}

function counts(): { received: number; sent: number } {
  return {
    received: kernelCount("InDestUnreachs", "Icmp6InDestUnreachs"),
    sent: kernelCount("OutDestUnreachs", "Icmp6OutDestUnreachs"),
  };
}
