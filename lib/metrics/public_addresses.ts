import type { InterfaceAddress } from "../host/host.ts";
import { addressScope, ipFamily, isPublicAddress } from "../parse/ip_address.ts";
import type { Addresses } from "../types.ts";

/**
 * Who tells a caller its public address, by the family that the service is reached over.
 *
 * All answer in plain text over HTTPS. Different operators come first, one of them near to callers
 * in China, so that a single one that is down or blocked costs no time.
 */
export const ADDRESS_SERVICES = {
  ipv4: [
    "https://1.1.1.1/cdn-cgi/trace",
    "https://4.ipw.cn",
    "https://api-ipv4.ip.sb/ip",
    "https://ipv4.icanhazip.com",
    "https://api.ipify.org",
    "https://checkip.amazonaws.com",
  ],
  ipv6: [
    "https://[2606:4700:4700::1111]/cdn-cgi/trace",
    "https://6.ipw.cn",
    "https://api-ipv6.ip.sb/ip",
    "https://ipv6.icanhazip.com",
    "https://api6.ipify.org",
    "https://v6.ident.me",
  ],
} as const;

/**
 * The caller's public address in a service's answer: the address alone, or a line `ip=ADDRESS`.
 *
 * `undefined` when there is none of the wanted family that the whole internet can reach, as in a login page.
 */
export function parseAddressAnswer(text: string, family: 4 | 6): string | undefined {
  const trimmed = text.trim();
  const line = trimmed.split("\n").find((line) => line.startsWith("ip="));
  const address = line === undefined ? trimmed : line.slice("ip=".length).trim();
  return ipFamily(address) === family && isPublicAddress(address) ? address : undefined;
}

/** What is used of `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** An address and the host that told it. */
export interface AddressAnswer {
  address: string;
  host: string;
}

const PARALLEL_REQUESTS = 3;
const MAX_ANSWER_BYTES = 1024;

/**
 * Asks services for the caller's public address, three at a time, until one gives a good answer; the
 * others are given up then.
 *
 * `undefined` when none did. Never rejects: a service that fails is like one that knows nothing, and
 * when `signal` aborts nothing is known.
 */
export async function queryServices(
  urls: readonly string[],
  family: 4 | 6,
  options: { fetch: Fetch; signal: AbortSignal },
): Promise<AddressAnswer | undefined> {
  const found = new AbortController();
  const signal = AbortSignal.any([options.signal, found.signal]);
  const queue = urls.values();
  let told: AddressAnswer | undefined;
  async function askInTurn(): Promise<void> {
    // All take from one queue, so that a slow service holds up no more than its own place.
    for (const url of queue) {
      if (signal.aborted) return;
      const text = await queryService(url, { fetch: options.fetch, signal });
      const address = text === undefined ? undefined : parseAddressAnswer(text, family);
      if (address === undefined || told) continue;
      told = { address, host: new URL(url).host };
      found.abort();
    }
  }
  await Promise.all(Array.from({ length: PARALLEL_REQUESTS }, askInTurn));
  return told;
}

async function queryService(
  url: string,
  { fetch, signal }: { fetch: Fetch; signal: AbortSignal },
): Promise<string | undefined> {
  try {
    // A redirect leads to a login page, not to an answer.
    const headers = { accept: "text/plain" };
    const response = await fetch(url, { signal, redirect: "error", headers });
    if (response.ok) return await readShortText(response);
    await response.body?.cancel();
  } catch {
    // Which of the many ways to fail it was changes nothing.
  }
  return undefined;
}

/** The whole body, unless it is longer than any address. */
async function readShortText({ body }: Response): Promise<string | undefined> {
  if (body === null) return undefined;
  const decoder = new TextDecoder();
  let length = 0;
  let text = "";
  for await (const chunk of body) {
    length += chunk.length;
    // Leaving the loop cancels the body.
    if (length > MAX_ANSWER_BYTES) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

/**
 * The machine's own public address of a family and the interface that has it; that of a counted
 * interface before others'.
 *
 * Others count too, since on a host of virtual machines the bridge has the address, not the card in it.
 */
export function publicInterfaceAddress(
  addresses: readonly InterfaceAddress[],
  family: InterfaceAddress["family"],
  options: { isCounted: (name: string) => boolean },
): InterfaceAddress | undefined {
  const usable = addresses.filter((it) => it.family === family && isPublicAddress(it.address));
  return usable.find(({ name }) => options.isCounted(name)) ?? usable[0];
}

/**
 * What stays the same while the machine is at the same place in the network: its addresses but those
 * that every interface gives itself, which come and go with containers.
 */
export function networkFingerprint(addresses: readonly InterfaceAddress[]): string {
  const lasting = addresses.filter(({ address }) => {
    const scope = addressScope(address);
    return scope !== "loopback" && scope !== "link-local";
  });
  return lasting.map(({ name, address }) => `${name} ${address}`).sort().join("\n");
}

/** How the public addresses are found out. */
export interface PublicAddressOptions {
  /** Known ones; they win over everything. */
  custom?: Addresses;
  /** Take those of the interfaces, and ask nobody. */
  fromInterfaces?: boolean;
  /** Who is asked: well-known services, these URLs for both families, or nobody. */
  services: "default" | "off" | readonly string[];
  interfaceAddresses(): InterfaceAddress[];
  /** Whether an interface's traffic is counted; its address comes before others'. */
  isCounted?(name: string): boolean;
  fetch?: Fetch;
  /** Milliseconds; a day's clock will do. */
  now?(): number;
  /** How long all services together may take. */
  timeoutMs?: number;
}

interface Answer {
  /** Absent when nobody knew. */
  address?: string;
  /** Where it is from, in plain words. */
  source: string;
  askedAt: number;
}

type Family = keyof Addresses;

const NUMBERS = { ipv4: 4, ipv6: 6 } as const;
const NAMES = { ipv4: "IPv4", ipv6: "IPv6" } as const;
const TIMEOUT_MS = 5_000;
const DAY_MS = 24 * 60 * 60_000;
const RETRY_MS = 5 * 60_000;

/**
 * The machine's public addresses: those given, else those of its interfaces if that is wanted, else
 * what services tell.
 *
 * An answer holds for a day, "nobody knew" for five minutes, both only as long as the machine keeps
 * its own addresses. What can't be found out is absent.
 */
export class PublicAddresses {
  readonly #options: PublicAddressOptions;
  readonly #answers = new Map<Family, Answer>();
  #fingerprint: string | undefined;

  constructor(options: PublicAddressOptions) {
    this.#options = options;
  }

  /**
   * Finds out both addresses, in 5 s at most; nothing that is in a hurry should wait for it.
   *
   * @throws The signal's reason when it aborts before.
   */
  async lookup(signal: AbortSignal): Promise<Addresses> {
    signal.throwIfAborted();
    const own = this.#ownAddresses();
    const place = networkFingerprint(own);
    if (place !== this.#fingerprint) this.#answers.clear();
    this.#fingerprint = place;
    const [ipv4, ipv6] = await Promise.all([
      this.#lookup("ipv4", own, { signal }),
      this.#lookup("ipv6", own, { signal }),
    ]);
    signal.throwIfAborted();
    return { ...(ipv4 ? { ipv4 } : {}), ...(ipv6 ? { ipv6 } : {}) };
  }

  /** Where each address was found at the last look, in plain words. */
  get source(): string {
    const parts = Array.from(this.#answers, ([family, { source }]) => `${NAMES[family]} ${source}`);
    return parts.sort().join(", ") || "not looked for yet";
  }

  async #lookup(
    family: Family,
    own: readonly InterfaceAddress[],
    options: { signal: AbortSignal },
  ): Promise<string | undefined> {
    const now = this.#now();
    const known = this.#answers.get(family);
    if (known && isFresh(known, now)) return known.address;
    const answer = this.#answerLocally(family, own) ?? await this.#query(family, options);
    if (!options.signal.aborted) this.#answers.set(family, { ...answer, askedAt: now });
    return answer.address;
  }

  #answerLocally(
    family: Family,
    own: readonly InterfaceAddress[],
  ): Omit<Answer, "askedAt"> | undefined {
    const { custom, fromInterfaces, services } = this.#options;
    const address = custom?.[family];
    if (address) return { address, source: `given by --custom-${family}` };
    const isCounted = (name: string) => this.#options.isCounted?.(name) ?? true;
    const ownPublic = publicInterfaceAddress(own, NAMES[family], { isCounted });
    if (fromInterfaces) {
      return ownPublic
        ? { address: ownPublic.address, source: `of interface ${ownPublic.name}` }
        : { source: "absent: no interface has a public one" };
    }
    if (services === "off") return { source: "absent: --ip-services off" };
    // IPv4 is mostly behind a translation, but nobody is reached over IPv6 without an address of it.
    if (family === "ipv6" && !ownPublic) return { source: "absent: no interface has a public one" };
    return undefined;
  }

  async #query(
    family: Family,
    { signal }: { signal: AbortSignal },
  ): Promise<Omit<Answer, "askedAt">> {
    const { services, fetch = globalThis.fetch, timeoutMs = TIMEOUT_MS } = this.#options;
    const known = services === "default" ? ADDRESS_SERVICES[family] : services;
    const urls = known === "off" ? [] : known;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const told = await queryServices(urls, NUMBERS[family], { fetch, signal: limited });
    return told
      ? { address: told.address, source: `told by ${told.host}` }
      : { source: "absent: no service answered" };
  }

  #ownAddresses(): InterfaceAddress[] {
    try {
      return this.#options.interfaceAddresses();
    } catch {
      // Without the right to list interfaces, IPv4 can be asked for all the same.
      return [];
    }
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }
}

function isFresh({ address, askedAt }: Answer, now: number): boolean {
  const age = now - askedAt;
  // A clock that was set back must not keep an answer for ever.
  return age >= 0 && age < (address === undefined ? RETRY_MS : DAY_MS);
}
