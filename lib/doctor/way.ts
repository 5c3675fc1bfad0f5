/**
 * The way to one panel: whom a connection goes to, and by which addresses.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import type { Diagnosis, Seen, SeenWay } from "../diagnosis/cause.ts";
import { diagnoseFailure, portOf, shapeOf } from "../diagnosis/diagnose.ts";
import { describeError } from "../log/log.ts";
import { NetDialer } from "../net/dialer.ts";
import { RUNTIME_NAMES, SystemResolver } from "../net/dns.ts";
import { DialError } from "../net/errors.ts";
import { isLoopbackHost } from "../parse/ip_address.ts";
import { urlHost } from "../parse/probe_target.ts";
import type { Proxy } from "../parse/proxy.ts";
import type { Line } from "./check.ts";
import {
  endpointPlace,
  given,
  type OfService,
  originOf,
  proxyNames,
  tokenPlace,
  withoutProxy,
} from "./options.ts";

/** The way to a panel, as far as it is judged. */
export interface Way extends OfService {
  readonly url: URL;
  /** The proxy on it, if there is one. */
  readonly proxy: Proxy | undefined;
  /** The addresses of the name that a connection goes to, once they are known. */
  readonly addresses: readonly string[];
}

/** A way that can be gone. */
export interface OpenWay extends Way {
  readonly dialer: NetDialer;
  addresses: readonly string[];
}

/** The way to the panel of a configuration. */
export function wayTo(config: Config, settings: OfService["settings"]): OpenWay {
  const url = new URL(config.endpoint);
  // A slow name server is a finding of its own, and takes no time from the links after it.
  const known = (host: string) =>
    host === hopOf(way).host && way.addresses.length > 0 ? way.addresses : undefined;
  const dialer = new NetDialer(
    config,
    new SystemResolver({
      lookUp: async (host) => known(host) ?? await RUNTIME_NAMES.lookUp(host),
      lookUpHosts: async (host) => known(host) ?? await RUNTIME_NAMES.lookUpHosts(host),
    }),
  );
  const way: OpenWay = {
    url,
    config,
    settings,
    dialer,
    proxy: dialer.proxyFor(url),
    addresses: [],
  };
  return way;
}

/** The way, as the table of causes looks at it. */
export function seenWay(way: Way): SeenWay {
  const { url, proxy, config } = way;
  return {
    ...{ url, proxy, token: shapeOf(config.token) },
    sends: config.headers.map(([name]) => name.toLowerCase()),
    places: {
      endpoint: endpointPlace(way),
      token: tokenPlace(way),
      caCert: originOf(way, "ca_cert"),
      proxy: proxyNames(way),
      given: (option) => given(way, option),
      withoutProxy: withoutProxy(way),
    },
  };
}

/** The cause of a failure on the way, and all that it advises. */
export function causeOf(seen: Seen, way: Way): Diagnosis & { advice: readonly string[] } {
  const diagnosis = diagnoseFailure(seen, seenWay(way));
  return { ...diagnosis, advice: [diagnosis.action, ...diagnosis.more] };
}

/** Whom a connection goes to: the proxy, if there is one, else the panel. */
export function hopOf(
  { url, proxy }: Pick<Way, "url" | "proxy">,
): { host: string; port: number; text: string } {
  const { host, port } = proxy ?? { host: urlHost(url), port: portOf(url) };
  return { host, port, text: proxy === undefined ? host : `the proxy ${host}` };
}

/** The address that is tried first, as far as it is known; else the name. */
export function addressOf(way: Way): string {
  return way.addresses[0] ?? hopOf(way).host;
}

/** The ports of panels: those of web servers before them, and Komari's own. */
const USUAL_PORTS: readonly number[] = [443, 80, 25774];

/** The addresses that panels usually have on the same host, other than the configured one. */
export function usualAddresses(url: URL): string[] {
  return USUAL_PORTS.filter((port) => port !== portOf(url)).map((port) =>
    new URL(`${port === 443 ? "https" : "http"}://${url.hostname}:${port}`).origin
  );
}

/** The advice to configure an address at which a panel answers, with a warning where it loses TLS. */
export function writeAddress(address: string | undefined, way: Way): string | undefined {
  // Every user of this machine can listen there.
  const isHere = isLoopbackHost(addressOf(way));
  const lost = losesTls(address, way) ? ": without TLS anyone on the way can read the token" : "";
  return address && `write ${address} into ${endpointPlace(way)}` +
      (isHere ? ", if that panel is yours" : lost);
}

/** The same before other advice, and behind it where it loses TLS. */
export function withAddress(
  address: string | undefined,
  way: Way,
  advice: readonly Line[],
): Line[] {
  const write = writeAddress(address, way);
  return losesTls(address, way) ? [...advice, write] : [write, ...advice];
}

function losesTls(address: string | undefined, { url }: Way): boolean {
  return url.protocol === "https:" && address?.startsWith("http:") === true;
}

/** The message of an error; that of a dial error says everything without its cause. */
export function failureText(error: unknown): string {
  return error instanceof DialError ? error.message : describeError(error);
}

/** A duration in seconds, in words. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
