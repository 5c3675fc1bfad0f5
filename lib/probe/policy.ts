import { delay } from "@std/async/delay";
import type { Host } from "../host/host.ts";
import { describeError, getLogger } from "../log/log.ts";
import type { SystemResolver } from "../net/dns.ts";
import { withTimeout } from "../async/timeout.ts";
import { addressBytes } from "../parse/ip_address.ts";

/** A machine that knows the addresses of its interfaces. */
export type AddressedMachine = Pick<Host, "interfaceAddresses">;

/** A probe was refused for the address that it would have reached. */
export class ProbeRefusedError extends Error {}

/** A probe was not made, since too many of its address are due. */
export class TooManyProbesError extends Error {}

/** Time-out of the resolution of a name. */
const LOOKUP_MS = 3000;

/** Time after which this machine's addresses are read again. */
const OWN_AGE_MS = 60_000;

/** Addresses outside of the link-local ones at which clouds tell machines about themselves. */
const METADATA_ADDRESSES: ReadonlySet<string> = new Set(
  ["100.100.100.200", "168.63.129.16", "fd00:ec2::254"].map((address) => keyOf(address)),
);

/** Requests that an address gets in {@linkcode PERIOD_MS}: many sites may be behind it. */
const REQUESTS_PER_PERIOD = 20;
const PERIOD_MS = 1000;

/** A probe that would wait for longer is not made: its value would be of another time. */
const MAX_WAIT_MS = 10_000;

/** Above this number, addresses that no request goes to are forgotten. */
const PRUNE_ABOVE = 1024;

/**
 * Bounds what a panel can reach by probes, and how often: no link-local, multicast, broadcast or
 * unspecified address, no cloud's metadata service, not this machine itself unless it is allowed, and
 * 20 requests a second to an address, against floods.
 */
export class ProbePolicy {
  readonly #resolver: SystemResolver;
  readonly #machine: AddressedMachine;
  readonly #allowLocal: boolean;
  readonly #log = getLogger("probe");
  #own: { readonly addresses: ReadonlySet<string>; readonly atMs: number } | undefined;
  /** When the last requests begin, by address; the oldest first. */
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
      (signal) => this.#resolver.resolve(host, { signal }),
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
    const kind = addressKind(address);
    const permit = "; --allow-local-probes permits it";
    if (kind === "loopback") {
      return this.#allowLocal ? undefined : `${address} is a loopback address${permit}`;
    }
    if (kind !== "other") return `${address} is a ${kind} address`;
    if (this.#allowLocal || !this.#ownAddresses().has(keyOf(address))) return undefined;
    return `${address} is an address of this machine${permit}`;
  }

  #ownAddresses(): ReadonlySet<string> {
    const nowMs = performance.now();
    if (this.#own !== undefined && nowMs - this.#own.atMs < OWN_AGE_MS) return this.#own.addresses;
    let addresses = this.#own?.addresses ?? new Set<string>();
    try {
      addresses = new Set(this.#machine.interfaceAddresses().map(({ address }) => keyOf(address)));
    } catch (error) {
      this.#log.debug("Cannot read this machine's addresses: {error}", {
        error: describeError(error),
      });
    }
    this.#own = { addresses, atMs: nowMs };
    return addresses;
  }

  async #waitForTurn(addresses: readonly string[], signal: AbortSignal): Promise<void> {
    const nowMs = performance.now();
    const turnMs = Math.max(nowMs, ...addresses.map((address) => this.#nextTurnMs(address)));
    if (turnMs - nowMs > MAX_WAIT_MS) {
      const limit = `${REQUESTS_PER_PERIOD} times a second`;
      throw new TooManyProbesError(`Refused to probe ${addresses[0]} more than ${limit}`);
    }
    for (const address of addresses) {
      const turns = [...this.#turns.get(address) ?? [], turnMs];
      this.#turns.set(address, turns.slice(-REQUESTS_PER_PERIOD));
    }
    if (this.#turns.size > PRUNE_ABOVE) {
      for (const [address, turns] of this.#turns) {
        if ((turns.at(-1) ?? 0) + PERIOD_MS <= nowMs) this.#turns.delete(address);
      }
    }
    if (turnMs > nowMs) await delay(turnMs - nowMs, { signal });
  }

  #nextTurnMs(address: string): number {
    const [oldestMs = 0, ...later] = this.#turns.get(address) ?? [];
    return later.length < REQUESTS_PER_PERIOD - 1 ? 0 : oldestMs + PERIOD_MS;
  }
}

/** Kinds of addresses; those of the kind `other` may be probed, unless they are this machine's own. */
export type AddressKind =
  | "loopback"
  | "link-local"
  | "metadata"
  | "multicast"
  | "broadcast"
  | "unspecified"
  | "other";

/** Kind of an IP address literal. */
export function addressKind(address: string): AddressKind {
  const bytes = targetBytes(address);
  const [a = 0, b = 0] = bytes;
  if (METADATA_ADDRESSES.has(String(bytes))) return "metadata";
  if (bytes.length === 4) {
    // On Linux all of 0.0.0.0/8 is this machine or nothing.
    if (a === 0) return "unspecified";
    if (a === 127) return "loopback";
    if (a === 169 && b === 254) return "link-local";
    if (a >= 224 && a < 240) return "multicast";
    return bytes.every((byte) => byte === 255) ? "broadcast" : "other";
  }
  // What the system resolves to can be nothing else than an address; refused all the same.
  if (bytes.slice(0, 15).every((byte) => byte === 0)) {
    return bytes[15] === 1 ? "loopback" : "unspecified";
  }
  if (a === 0xff) return "multicast";
  return a === 0xfe && (b & 0xc0) === 0x80 ? "link-local" : "other";
}

/** One text for all spellings of an address. */
function keyOf(address: string): string {
  return String(targetBytes(address));
}

/** The bytes of the address that is reached: ::ffff:127.0.0.1 goes where 127.0.0.1 goes. */
function targetBytes(address: string): readonly number[] {
  const bytes = addressBytes(address) ?? [];
  const [c = 0, d = 0, ...last] = bytes.slice(10);
  if (bytes.slice(0, 10).some((byte) => byte !== 0)) return bytes;
  const isMapped = c === 0xff && d === 0xff;
  // The deprecated form; :: and ::1 are no addresses of IPv4.
  const isCompatible = c === 0 && d === 0 && last.slice(0, 3).some((byte) => byte !== 0);
  return isMapped || isCompatible ? last : bytes;
}
