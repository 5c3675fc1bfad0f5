import { delay } from "@std/async/delay";
import type { Host } from "../host/host.ts";
import { describeError, getLogger } from "../log/log.ts";
import type { SystemResolver } from "../net/dns.ts";
import { withTimeout } from "../async/timeout.ts";
import { addressBytes, type AddressScope, addressScope, ipv4Within } from "../parse/ip_address.ts";

/** A machine that knows the addresses of its interfaces, and its routes. */
export type AddressedMachine = Pick<Host, "interfaceAddresses" | "routeScope">;

/** This machine's addresses, and those that all machines of its networks answer to; by their key. */
interface OwnAddresses {
  readonly addresses: ReadonlySet<string>;
  readonly broadcasts: ReadonlySet<string>;
}

/** A probe was refused for the address that it would have reached. */
export class ProbeRefusedError extends Error {}

/** A probe was not made, since too many of its address are due. */
export class TooManyProbesError extends Error {}

/** Time-out of the resolution of a name. */
const LOOKUP_MS = 3000;

/** Time after which this machine's addresses are read again. */
const OWN_AGE_MS = 60_000;

/** Scopes that no probe may reach; loopback may be permitted. */
const REFUSED_SCOPES: ReadonlySet<string> = new Set<AddressScope>(
  ["link-local", "multicast", "broadcast", "unspecified"],
);

/** Addresses outside of the link-local ones at which clouds tell machines about themselves. */
const METADATA_ADDRESSES: ReadonlySet<string> = new Set(
  [
    ...["100.100.100.200", "168.63.129.16", "192.0.0.192", "100.96.0.96"],
    ...["fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42", "fd00:a9fe:a9fe::1"],
    ...["fd00:c1::a9fe:a9fe", "fd00:100::100:200"],
  ].map(keyOf),
);

/** Requests that an address gets in {@linkcode PERIOD_MS}: many sites may be behind it. */
const REQUESTS_PER_PERIOD = 20;
const PERIOD_MS = 1000;

/** A probe that would wait for longer is not made: its value would be of another time. */
const MAX_WAIT_MS = 10_000;

/**
 * Bounds what a panel can reach by probes, and how often: no link-local, multicast, broadcast or
 * unspecified address, no cloud's metadata service, not this machine itself unless it is allowed, by
 * whichever of its addresses and routes, none of these by an address of IPv6 that leads there, and 20
 * requests a second to an address, or to a network (/64) of IPv6.
 */
export class ProbePolicy {
  readonly #resolver: SystemResolver;
  readonly #machine: AddressedMachine;
  readonly #allowLocal: boolean;
  readonly #log = getLogger("probe");
  #own: OwnAddresses | undefined;
  #ownReadAtMs = -Infinity;
  /** When the last requests begin, by the key of turns; the oldest first. */
  readonly #turns = new Map<string, number[]>();

  /**
   * @param options `machine` knows the addresses of its interfaces; `allowLocal`: whether they and
   * loopback may be probed.
   */
  constructor(
    resolver: SystemResolver,
    options: { readonly machine: AddressedMachine; readonly allowLocal: boolean },
  ) {
    this.#resolver = resolver;
    this.#machine = options.machine;
    this.#allowLocal = options.allowLocal;
  }

  /**
   * Resolves the addresses of a host that may be probed, and waits for the turn of a request to any of
   * them. A name is checked by what it resolves to.
   *
   * @throws {ProbeRefusedError} When none of them may be probed.
   * @throws {TooManyProbesError} When the wait would take more than 10 s.
   * @throws {Error} When the name has no address, or is not resolved within 3 s.
   * @throws The signal's reason when it aborts.
   */
  async admit(host: string, { signal }: { signal: AbortSignal }): Promise<string[]> {
    const found = await withTimeout(
      (signal) => this.#resolver.resolve(host, { signal, isProbe: true }),
      { timeoutMs: LOOKUP_MS, signal },
    );
    const addresses = this.#allowedOf(host, found);
    await this.#waitForTurn(addresses, signal);
    return addresses;
  }

  #allowedOf(host: string, addresses: readonly string[]): string[] {
    const refusals = addresses.map((address) => this.#refusalOf(address));
    const allowed = addresses.filter((_, index) => refusals[index] === undefined);
    if (allowed.length > 0 || addresses.length === 0) return allowed;
    throw new ProbeRefusedError(`Refused to probe ${host}: ${refusals[0]}`);
  }

  /** Why an address may not be probed; `undefined` when it may. */
  #refusalOf(address: string): string | undefined {
    for (const target of [address, ...ipv4Within(address)]) {
      const refusal = this.#refusalOfTarget(target);
      if (refusal !== undefined) return `${address} ${refusal}`;
    }
    return undefined;
  }

  #refusalOfTarget(address: string): string | undefined {
    const own = this.#ownAddresses();
    const key = keyOf(address);
    // A route may lead here, too, as one of a proxy's or of a whole network on the loopback.
    const route = this.#machine.routeScope?.(address);
    const scope = METADATA_ADDRESSES.has(key)
      ? "metadata"
      : own?.broadcasts.has(key) || route === "broadcast"
      ? "broadcast"
      : addressScope(address) ?? "unspecified";
    if (scope === "unspecified") return "is an unspecified address";
    if (REFUSED_SCOPES.has(scope) || scope === "metadata") return `is a ${scope} address`;
    if (this.#allowLocal) return undefined;
    const permit = "; --allow-local-probes permits it";
    if (scope === "loopback") return `is a loopback address${permit}`;
    if (own === undefined) return `may be an address of this machine, which can't be read${permit}`;
    const isOwn = own.addresses.has(key) || route === "local";
    return isOwn ? `is an address of this machine${permit}` : undefined;
  }

  /** This machine's addresses, as they were last read; `undefined` when that has never succeeded. */
  #ownAddresses(): OwnAddresses | undefined {
    const nowMs = performance.now();
    if (nowMs - this.#ownReadAtMs < OWN_AGE_MS) return this.#own;
    this.#ownReadAtMs = nowMs;
    try {
      const all = this.#machine.interfaceAddresses();
      this.#own = {
        addresses: new Set(all.map(({ address }) => keyOf(address))),
        broadcasts: new Set(all.flatMap(({ broadcasts = [] }) => broadcasts)),
      };
    } catch (error) {
      this.#log.debug("Cannot read this machine's addresses: {error}", {
        error: describeError(error),
      });
    }
    return this.#own;
  }

  async #waitForTurn(addresses: readonly string[], signal: AbortSignal): Promise<void> {
    const nowMs = performance.now();
    const keys = new Set(addresses.map(turnKeyOf));
    const turnMs = Math.max(nowMs, ...[...keys].map((key) => this.#nextTurnMs(key)));
    if (turnMs - nowMs > MAX_WAIT_MS) {
      const limit = `${REQUESTS_PER_PERIOD} times a second`;
      throw new TooManyProbesError(`Refused to probe ${addresses[0]} more than ${limit}`);
    }
    for (const key of keys) {
      const turns = [...this.#turns.get(key) ?? [], turnMs];
      this.#turns.set(key, turns.slice(-REQUESTS_PER_PERIOD));
    }
    for (const [key, turns] of this.#turns) {
      if ((turns.at(-1) ?? 0) + PERIOD_MS <= nowMs) this.#turns.delete(key);
    }
    if (turnMs > nowMs) await delay(turnMs - nowMs, { signal });
  }

  #nextTurnMs(key: string): number {
    const [oldestMs = 0, ...later] = this.#turns.get(key) ?? [];
    return later.length < REQUESTS_PER_PERIOD - 1 ? 0 : oldestMs + PERIOD_MS;
  }
}

/** What requests are counted for: an address of IPv4, or a /64 of IPv6, which one machine may have. */
function turnKeyOf(address: string): string {
  return ipv4Within(address)[0] ?? addressBytes(address)?.slice(0, 8).join(".") ?? "";
}

/** One text for all spellings of an address, and for those of IPv6 that lead to one of IPv4. */
function keyOf(address: string): string {
  return ipv4Within(address)[0] ?? addressBytes(address)?.join(".") ?? "";
}
