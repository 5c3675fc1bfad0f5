/**
 * The way to one panel, as the checks of `doctor` get to know it, link by link.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { describeError } from "../log/log.ts";
import { DialError } from "../net/errors.ts";
import { NetDialer } from "../net/dialer.ts";
import { RUNTIME_NAMES, SystemResolver } from "../net/dns.ts";
import type { Proxy } from "../parse/proxy.ts";
import { urlHost } from "../parse/probe_target.ts";
import type { UnitSetting } from "../service/loaded_unit.ts";
import { sentAgain } from "./doctor_loss.ts";

/** The way to a panel: its address, what is on it, and what earlier checks have found. */
export interface Way {
  readonly url: URL;
  /** The proxy on it, if there is one. */
  readonly proxy: Proxy | undefined;
  readonly config: Config;
  readonly dialer: NetDialer;
  /** The settings of the service's unit, if the checks run as it does. */
  readonly unit: readonly UnitSetting[];
  /** Where else panels are looked for on the same host; the usual ports by default. */
  readonly usualPorts?: readonly number[] | undefined;
  /** The addresses of the panel's, or the proxy's, name, and who has given them. */
  addresses: readonly string[];
  answeredBy: string;
  /** How many of several pings to it are lost, once it has connected. */
  pings?: Promise<number | undefined>;
  /** Packets that the kernel had sent again before any of it. */
  readonly sentAgain: number;
  /** What to look at first if a later link fails, since the addresses may be wrong. */
  doubts: readonly string[];
}

/** The way to the panel of a configuration. */
export function wayTo(
  config: Config,
  unit: readonly UnitSetting[],
  usualPorts?: readonly number[],
): Way {
  const url = new URL(config.endpoint);
  // A slow name server is a finding of its own, and takes no time from the links after it.
  const dialer = dialerOf(
    config,
    (host) => host === firstHop(way).host && way.addresses.length > 0 ? way.addresses : undefined,
  );
  const proxy = dialer.proxyFor(url);
  const way: Way = {
    ...{ url, proxy, config, dialer, unit, usualPorts, sentAgain: sentAgain() },
    ...{ addresses: [], answeredBy: "", doubts: [] },
  };
  return way;
}

/** A dialer for which some hosts have these addresses, and the others those that the system gives. */
export function dialerOf(
  config: Config,
  known: (host: string) => readonly string[] | undefined,
): NetDialer {
  return new NetDialer(
    config,
    new SystemResolver({
      lookUp: async (host) => known(host) ?? await RUNTIME_NAMES.lookUp(host),
      lookUpHosts: async (host) => known(host) ?? await RUNTIME_NAMES.lookUpHosts(host),
    }),
  );
}

/** Whom a connection goes to: the proxy, if there is one, else the panel. */
export function firstHop(
  { url, proxy }: Pick<Way, "url" | "proxy">,
): { host: string; port: number } {
  return proxy ?? { host: urlHost(url), port: portOf(url) };
}

/** The addresses of whom a connection goes to, as far as they are known; else its name. */
export function addressesOf(way: Pick<Way, "url" | "proxy" | "addresses">): readonly string[] {
  return way.addresses.length > 0 ? way.addresses : [firstHop(way).host];
}

/** The one that is tried first. */
export function addressOf(way: Pick<Way, "url" | "proxy" | "addresses">): string {
  return addressesOf(way)[0] ?? "";
}

/** The first hop in words. */
export function hopText(way: Pick<Way, "url" | "proxy">): string {
  const { host } = firstHop(way);
  return way.proxy === undefined ? host : `the proxy ${host}`;
}

/** The port of a URL, also where it does not name it. */
export function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}

/** The ports of panels: those of web servers before them, and Komari's own. */
export const USUAL_PORTS: readonly number[] = [443, 80, 25774];

/** The addresses that panels usually have on the same host, other than the configured one. */
export function usualAddresses(
  { url, usualPorts = USUAL_PORTS }: Pick<Way, "url" | "usualPorts">,
): { address: string; port: number }[] {
  return usualPorts.filter((port) => port !== portOf(url)).map((port) => {
    const scheme = port === 443 ? "https" : "http";
    return { port, address: new URL(`${scheme}://${url.hostname}:${port}`).origin };
  });
}

/** Where the panel's address came from, as an addition to a text; empty for an address. */
export function originText({ addresses, answeredBy }: Way): string {
  return answeredBy === "" ? "" : ` (${addresses[0] ?? "no address"}, ${answeredBy})`;
}

/** A look at whether an address is the panel's, or the proxy's, where somebody has given it for a name. */
export function originLook(
  { addresses, answeredBy, proxy }: Pick<Way, "addresses" | "answeredBy" | "proxy">,
  address = addresses[0],
): string[] {
  if (answeredBy === "") return [];
  return [
    proxy === undefined
      ? `see whether ${address} is the panel's address (${answeredBy})`
      : `see whether ${address} is the proxy's address (${answeredBy})`,
  ];
}

/** Shows what the firewall of this machine does. */
export const OWN_FIREWALL =
  "see whether a firewall here drops or refuses it: nft list ruleset || iptables-save";

/** The message of an error; that of a dial error says everything without its cause. */
export function failureText(error: unknown): string {
  return error instanceof DialError ? error.message : describeError(error);
}

/** A duration in seconds, in words. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
