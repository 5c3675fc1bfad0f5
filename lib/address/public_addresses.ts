import type { InterfaceAddress } from "../host/host.ts";
import type { Addresses } from "../types.ts";
import { ADDRESS_SERVICES } from "./address_services.ts";
import { askServices, type Fetch } from "./ask_services.ts";
import { ownPublicAddress, placeInNetwork } from "./interface_addresses.ts";

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
  #place: string | undefined;

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
    const place = placeInNetwork(own);
    if (place !== this.#place) this.#answers.clear();
    this.#place = place;
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
    const answer = this.#answerAtOnce(family, own) ?? await this.#ask(family, options);
    if (!options.signal.aborted) this.#answers.set(family, { ...answer, askedAt: now });
    return answer.address;
  }

  #answerAtOnce(
    family: Family,
    own: readonly InterfaceAddress[],
  ): Omit<Answer, "askedAt"> | undefined {
    const { custom, fromInterfaces, services } = this.#options;
    const address = custom?.[family];
    if (address) return { address, source: `given by --custom-${family}` };
    const isCounted = (name: string) => this.#options.isCounted?.(name) ?? true;
    const ownPublic = ownPublicAddress(own, NAMES[family], { isCounted });
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

  async #ask(
    family: Family,
    { signal }: { signal: AbortSignal },
  ): Promise<Omit<Answer, "askedAt">> {
    const { services, fetch = globalThis.fetch, timeoutMs = TIMEOUT_MS } = this.#options;
    const known = services === "default" ? ADDRESS_SERVICES[family] : services;
    const urls = known === "off" ? [] : known;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const told = await askServices(urls, NUMBERS[family], { fetch, signal: limited });
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
