import type { Config } from "../config/config.ts";
import type { InterfaceAddress } from "../host/host.ts";
import { NetDialer } from "../net/dialer.ts";
import type { SystemResolver } from "../net/dns.ts";
import type { HttpResponse } from "../net/http_client.ts";
import { streamRequest } from "../net/http_stream.ts";
import type { ProxyUrls } from "../parse/proxy.ts";
import { attempt } from "../attempt.ts";
import { withTimeout } from "../async/timeout.ts";
import { addressScope, ipFamily, isPublicAddress } from "../parse/ip_address.ts";
import type { Addresses } from "../types.ts";
import { USER_AGENT } from "../version.ts";
import type { Machine } from "./machine.ts";

/**
 * The families, and services that return the caller's public address over each.
 *
 * All return plain text over HTTPS. The first three are of different operators, one of them in China,
 * so that one that is down or blocked costs no time.
 */
const FAMILIES = {
  ipv4: {
    name: "IPv4",
    number: 4,
    custom: "customIpv4",
    services: [
      "https://1.1.1.1/cdn-cgi/trace",
      "https://4.ipw.cn",
      "https://api-ipv4.ip.sb/ip",
      "https://ipv4.icanhazip.com",
    ],
  },
  ipv6: {
    name: "IPv6",
    number: 6,
    custom: "customIpv6",
    services: [
      "https://[2606:4700:4700::1111]/cdn-cgi/trace",
      "https://6.ipw.cn",
      "https://api-ipv6.ip.sb/ip",
      "https://ipv6.icanhazip.com",
    ],
  },
} as const;

type Family = keyof Addresses;

/**
 * Parses a service's response: the address alone, or a line `ip=ADDRESS`.
 *
 * `undefined` without a public address of the family, as for a login page.
 */
export function parseAddressAnswer(text: string, family: 4 | 6): string | undefined {
  const trimmed = text.trim();
  const line = trimmed.split("\n").find((line) => line.startsWith("ip="));
  const address = line === undefined ? trimmed : line.slice("ip=".length).trim();
  return ipFamily(address) === family && isPublicAddress(address) ? address : undefined;
}

/** Makes a GET request; redirects are not followed. */
export type GetText = (
  url: string,
  options: { signal: AbortSignal },
) => Promise<Pick<HttpResponse, "status" | "text">>;

/**
 * Requests through the proxies of the environment, each over a connection of its own.
 *
 * The runtime's `fetch` is not used, since it sends a proxy's password on to an HTTPS server.
 *
 * @param options `caCerts`: certificates in PEM to trust besides the system's; `system` resolves names.
 */
export function createGetText(
  proxies: ProxyUrls,
  { system, ...trust }: { caCerts?: readonly string[]; system?: SystemResolver | undefined } = {},
): GetText {
  const dialer = new NetDialer({ proxies, ...trust }, system);
  const headers = [["accept", "text/plain"], ["user-agent", USER_AGENT]] as const;
  return (url, { signal }) =>
    streamRequest(dialer, { method: "GET", url, headers }, { signal, stallMs: TIMEOUT_MS });
}

const PARALLEL_REQUESTS = 3;
/** An address is shorter. */
const MAX_ANSWER_LENGTH = 1024;

/**
 * Queries services for the caller's public address, three at a time, until one returns a valid
 * address, with the host of that one; the other requests are aborted then.
 *
 * `undefined` when none did or when `signal` aborts. Never rejects.
 */
export async function queryServices(
  urls: readonly string[],
  family: 4 | 6,
  options: { getText: GetText; signal: AbortSignal },
): Promise<{ address: string; host: string } | undefined> {
  const found = new AbortController();
  const signal = AbortSignal.any([options.signal, found.signal]);
  const queue = urls.values();
  let answer: { address: string; host: string } | undefined;
  async function askInTurn(): Promise<void> {
    // Workers share one queue, so that a slow service blocks only one of them.
    for (const url of queue) {
      if (signal.aborted) return;
      // A failed service is like one without an answer; redirects lead to login pages.
      const { status, text } = await options.getText(url, { signal })
        .catch(() => ({ status: 0, text: "" }));
      const isShort = status === 200 && text.length <= MAX_ANSWER_LENGTH;
      const address = isShort ? parseAddressAnswer(text, family) : undefined;
      if (address === undefined || answer) continue;
      answer = { address, host: new URL(url).host };
      found.abort();
    }
  }
  await Promise.all(Array.from({ length: PARALLEL_REQUESTS }, askInTurn));
  return answer;
}

/**
 * A public address of the machine's interfaces: one of an interface that counts, else any. Temporary ones
 * are last, unusable ones are left out.
 *
 * Uncounted interfaces are used too: on a host of virtual machines the bridge has the address, not its
 * network card.
 */
export function publicInterfaceAddress(
  addresses: readonly InterfaceAddress[],
  family: InterfaceAddress["family"],
  options: { isCounted: (name: string) => boolean },
): InterfaceAddress | undefined {
  const usable = addresses.filter((it) =>
    it.family === family && it.preference !== "unusable" && isPublicAddress(it.address)
  );
  const rank = ({ name, preference }: InterfaceAddress) =>
    (preference === "temporary" ? 2 : 0) + (options.isCounted(name) ? 0 : 1);
  return usable.toSorted((one, other) => rank(one) - rank(other))[0];
}

/**
 * Fingerprint of the machine's network: all addresses except loopback and link-local ones, which
 * change with containers.
 */
function networkFingerprint(addresses: readonly InterfaceAddress[]): string {
  const lasting = addresses.filter(({ address }) => {
    const scope = addressScope(address);
    return scope !== "loopback" && scope !== "link-local";
  });
  return lasting.map(({ name, address }) => `${name} ${address}`).sort().join("\n");
}

interface Answer {
  /** Absent when no address was found. */
  address?: string;
  /** Who has told it, or why there is none. */
  answeredBy: string;
}

const NO_INTERFACE: Answer = { answeredBy: "absent: no interface has a public address" };

/** Time limit for all services together. */
const TIMEOUT_MS = 5_000;
const DAY_MS = 24 * 60 * 60_000;
const RETRY_MS = 5 * 60_000;

/**
 * Looks up the machine's public addresses: configured ones, else those of its interfaces if enabled,
 * else those that services return.
 *
 * Addresses are cached for a day and failures for five minutes, until the machine's own addresses
 * change. Unknown addresses are absent.
 */
export class PublicAddresses {
  readonly #config: Config;
  readonly #machine: Pick<Machine, "interfaces" | "interfaceAddresses">;
  readonly #getText: GetText;
  readonly #answers = new Map<Family, Answer & { readonly dueAtMs: number }>();
  #fingerprint: string | undefined;

  constructor(
    config: Config,
    machine: Pick<Machine, "interfaces" | "interfaceAddresses">,
    { getText }: { getText: GetText },
  ) {
    this.#config = config;
    this.#machine = machine;
    this.#getText = getText;
  }

  /**
   * Looks up both addresses, in 5 s at most.
   *
   * @throws The reason of `signal` when it aborts first.
   */
  async lookup(signal: AbortSignal): Promise<Addresses> {
    signal.throwIfAborted();
    // Without permission to list interfaces, services can still be queried for IPv4.
    const own = attempt(() => this.#machine.interfaceAddresses()) ?? [];
    const place = networkFingerprint(own);
    if (place !== this.#fingerprint) this.#answers.clear();
    this.#fingerprint = place;
    const [ipv4, ipv6] = await Promise.all([
      this.#lookup("ipv4", own, signal),
      this.#lookup("ipv6", own, signal),
    ]);
    signal.throwIfAborted();
    return { ipv4, ipv6 };
  }

  /** Who told both addresses at the last lookup. */
  get answeredBy(): string {
    const parts = Array.from(
      this.#answers,
      ([family, { answeredBy }]) => `${FAMILIES[family].name} ${answeredBy}`,
    );
    return parts.sort().join(", ") || "not looked up yet";
  }

  async #lookup(
    family: Family,
    own: readonly InterfaceAddress[],
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const nowMs = performance.now();
    const known = this.#answers.get(family);
    if (known !== undefined && nowMs < known.dueAtMs) return known.address;
    const answer = await this.#find(family, own, signal);
    const dueAtMs = nowMs + (answer.address === undefined ? RETRY_MS : DAY_MS);
    if (!signal.aborted) this.#answers.set(family, { ...answer, dueAtMs });
    return answer.address;
  }

  async #find(
    family: Family,
    own: readonly InterfaceAddress[],
    signal: AbortSignal,
  ): Promise<Answer> {
    const { name, number, custom, services } = FAMILIES[family];
    const { [custom]: address, addressesFromNic, ipServices } = this.#config;
    if (address !== "") return { address, answeredBy: `from --custom-${family}` };
    const counted = new Set(
      this.#machine.interfaces().filter((it) => it.counted).map(({ name }) => name),
    );
    const ownPublic = publicInterfaceAddress(own, name, { isCounted: (it) => counted.has(it) });
    if (addressesFromNic) {
      return ownPublic
        ? { address: ownPublic.address, answeredBy: `from interface ${ownPublic.name}` }
        : NO_INTERFACE;
    }
    if (ipServices === "off") return { answeredBy: "absent: --ip-services off" };
    // IPv4 is usually behind NAT, but IPv6 needs an address of its own.
    if (family === "ipv6" && !ownPublic) return NO_INTERFACE;
    const urls = ipServices === "default" ? services : ipServices;
    const answer = await withTimeout(
      (signal) => queryServices(urls, number, { getText: this.#getText, signal }),
      { timeoutMs: TIMEOUT_MS, signal },
    );
    return answer
      ? { address: answer.address, answeredBy: `from ${answer.host}` }
      : { answeredBy: "absent: no service answered" };
  }
}
