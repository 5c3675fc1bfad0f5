/**
 * The addresses of a panel's name that are not the panel's, for `doctor`: another machine's, a proxy's
 * placeholder, or forged.
 *
 * @module
 */

import { ipFamily, isWithin } from "../parse/ip_address.ts";
import { given } from "./doctor_options.ts";
import { dialerOf, firstHop, portOf, type Way } from "./doctor_way.ts";

/** Addresses of a name that are tried one by one. */
const MAX_ADDRESSES = 4;

/** The way by each address of the panel's name alone; none where it has one, or a proxy resolves it. */
export function waysByAddress(way: Way): (Way & { readonly address: string })[] {
  if (way.proxy !== undefined || way.addresses.length < 2) return [];
  const config = { ...way.config, nameServer: undefined };
  return way.addresses.slice(0, MAX_ADDRESSES).map((address) => ({
    ...{ ...way, address, addresses: [address] },
    dialer: dialerOf(config, () => [address]),
  }));
}

/** Advice about one of several addresses of a name that is not like the others. */
export function oldAddressAdvice(
  address: string,
  way: Pick<Way, "answeredBy" | "url" | "proxy">,
): string {
  const { host } = firstHop(way);
  const record = ipFamily(address) === 6 ? "AAAA" : "A";
  return way.answeredBy.includes("/etc/hosts")
    ? `if ${address} is another machine, or an old one, remove it from /etc/hosts`
    : `if ${address} is another machine, or an old one, correct the ${record} record of ${host} at its DNS provider`;
}

/** Advice that lasts until one of several addresses is repaired, where another one is of the other family. */
export function preferOther(
  bad: string,
  good: string,
  way: Pick<Way, "config" | "unit">,
): string | undefined {
  const family = ipFamily(good);
  return family === ipFamily(bad) || family === way.config.preferFamily
    ? undefined
    : `until it is repaired, try the other first: ${given(way, `--prefer-ip-version ${family}`)}`;
}

/** Advice where a server that is not the panel's answers at `bad`, and the panel's at `good`, of one name. */
export function strayAdvice(bad: string, good: string, way: Way): (string | undefined)[] {
  const { url } = way;
  const port = portOf(url);
  return [
    oldAddressAdvice(bad, way),
    `if ${bad} is the panel's machine, have the server there answer for ${url.hostname} at that address, too ` +
    `(nginx: listen ${ipFamily(bad) === 6 ? `[::]:${port}` : port} in its server block)`,
    preferOther(bad, good, way),
  ];
}

/** The network that is nobody's (RFC 2544), and from which such proxies take addresses. */
const FAKE_IPS = /^198\.1[89]\./;

/** Whether the name's addresses are placeholders of such a proxy. */
export function isFakeIp({ addresses }: Pick<Way, "addresses">): boolean {
  return addresses.length > 0 && addresses.every((it) => FAKE_IPS.test(it));
}

/**
 * Networks of Facebook, Twitter and Dropbox, and Teredo's, from which forged answers take addresses
 * where a name is blocked.
 */
const FORGED_FROM = [
  ...["31.13.64.0/18", "66.220.144.0/20", "69.63.176.0/20", "69.171.224.0/19", "157.240.0.0/16"],
  ...["173.252.64.0/18", "104.244.40.0/21", "199.16.156.0/22", "199.59.148.0/22"],
  ...["108.160.160.0/20", "162.125.0.0/16", "2001::/32"],
];

/** Whether the name's addresses are such as forged answers give. */
export function isForged({ addresses }: Pick<Way, "addresses">): boolean {
  return addresses.length > 0 &&
    addresses.every((it) => FORGED_FROM.some((network) => isWithin(it, network) === true));
}

/** What is said of such an address, behind a text. */
export function withForged(text: string, { addresses }: Pick<Way, "addresses">): string {
  return `${text}; ${
    addresses.join(", ")
  } is of a network from which forged answers for blocked names are ` +
    "(Facebook's, Twitter's)";
}
