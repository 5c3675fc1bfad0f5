import { abortable } from "@std/async/abortable";
import { ipFamily } from "../parse/ip_address.ts";

/** Asks the system for all addresses of a host name. */
export type Lookup = (host: string) => Promise<readonly { address: string }[]>;

/** A lookup can't be called off; so many may hang at once before new ones are refused. */
const LOOKUPS_LIMIT = 64;

/** Host names to addresses, as the system does it (`/etc/hosts`, DNS), each time anew. */
export class Resolver {
  readonly #lookup: Lookup;
  readonly #underWay = new Map<string, Promise<string[]>>();

  constructor(options: { lookup?: Lookup } = {}) {
    this.#lookup = options.lookup ?? systemLookup;
  }

  /**
   * At most two addresses in the order to try them: the first of IPv4, then the first of IPv6, for
   * a machine may have a route to only one. A literal is its own address.
   *
   * @throws {Error} When the name has no address (`Cannot resolve …`).
   */
  async resolve(host: string, options: { signal: AbortSignal }): Promise<string[]> {
    const addresses = await this.resolveAll(host, options);
    return [4, 6].flatMap((family) =>
      addresses.find((address) => ipFamily(address) === family) ?? []
    );
  }

  /**
   * All addresses in the system's order, at least one. A literal is its own address.
   *
   * @throws {Error} When the name has no address (`Cannot resolve …`).
   */
  async resolveAll(host: string, options: { signal: AbortSignal }): Promise<readonly string[]> {
    const { signal } = options;
    signal.throwIfAborted();
    if (ipFamily(host) !== undefined) return [host];
    return await abortable(this.#shared(host), signal);
  }

  /** One lookup a name at a time, however many probes ask for it. */
  #shared(host: string): Promise<string[]> {
    const running = this.#underWay.get(host);
    if (running) return running;
    if (this.#underWay.size >= LOOKUPS_LIMIT) {
      return Promise.reject(new Error(`Cannot resolve ${host}: too many lookups hang`));
    }
    const lookup = this.#addresses(host).finally(() => this.#underWay.delete(host));
    // Whoever asked may have given up by the time it fails.
    lookup.catch(() => {});
    this.#underWay.set(host, lookup);
    return lookup;
  }

  async #addresses(host: string): Promise<string[]> {
    let found: readonly { address: string }[];
    try {
      found = await this.#lookup(host);
    } catch (cause) {
      throw new Error(`Cannot resolve ${host}`, { cause });
    }
    const addresses = found.map(({ address }) => address)
      .filter((address) => ipFamily(address) !== undefined);
    if (addresses.length === 0) throw new Error(`Cannot resolve ${host}: it has no address`);
    return addresses;
  }
}

async function systemLookup(host: string): Promise<readonly { address: string }[]> {
  // Loaded on first use: it takes megabytes that an agent without probes need not pay.
  const { lookup } = await import("node:dns/promises");
  return await lookup(host, { all: true });
}
