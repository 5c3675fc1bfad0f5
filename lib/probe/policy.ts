import { delay } from "@std/async/delay";
import type { SystemResolver } from "../net/dns.ts";
import { withTimeout } from "../timeout.ts";
import { addressBytes } from "../parse/ip_address.ts";

/** A probe was refused for the address that it would have reached. */
export class ProbeRefusedError extends Error {
  override name = "ProbeRefusedError";
}

/** A probe was not made, since too many of its address are due. */
export class TooManyProbesError extends Error {
  override name = "TooManyProbesError";
}

/** Time-out of the resolution of a name. */
const LOOKUP_MS = 3000;

/** Requests that an address gets in {@linkcode PERIOD_MS}: many sites may be behind it. */
const REQUESTS_PER_PERIOD = 20;
const PERIOD_MS = 1000;

/** A probe that would wait for longer is not made: its value would be of another time. */
const MAX_WAIT_MS = 10_000;

/** Above this number, addresses that no request goes to are forgotten. */
const PRUNE_ABOVE = 1024;

/**
 * Bounds what a panel can reach by probes, and how often: no link-local, multicast, broadcast or
 * unspecified address, no loopback unless it is allowed, and 20 requests a second to an address,
 * against floods.
 */
export class ProbePolicy {
  readonly #resolver: SystemResolver;
  readonly #allowLoopback: boolean;
  /** When the last requests begin, by address; the oldest first. */
  readonly #turns = new Map<string, number[]>();

  /** @param options `allowLoopback`: whether this machine's own loopback addresses may be probed. */
  constructor(resolver: SystemResolver, options: { readonly allowLoopback: boolean }) {
    this.#resolver = resolver;
    this.#allowLoopback = options.allowLoopback;
  }

  /**
   * Resolves the addresses of a host that may be probed, and waits for the turn of a request to any of
   * them. A name is judged by what it resolves to.
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
    const addresses = this.#judge(host, found);
    await this.#waitForTurn(addresses, signal);
    return addresses;
  }

  #judge(host: string, addresses: readonly string[]): string[] {
    const refusals: string[] = [];
    const allowed = addresses.filter((address) => {
      const kind = addressKind(address);
      const isAllowed = kind === "other" || (kind === "loopback" && this.#allowLoopback);
      if (!isAllowed) refusals.push(`${address} is a ${kind} address`);
      return isAllowed;
    });
    const [refusal] = refusals;
    if (allowed.length > 0 || refusal === undefined) return allowed;
    const hint = refusal.includes("loopback") ? "; --allow-local-probes permits it" : "";
    throw new ProbeRefusedError(`Refused to probe ${host}: ${refusal}${hint}`);
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

/** Kinds of addresses; those of the kind `other` may be probed. */
export type AddressKind =
  | "loopback"
  | "link-local"
  | "multicast"
  | "broadcast"
  | "unspecified"
  | "other";

/** Kind of an IP address literal. */
export function addressKind(address: string): AddressKind {
  const bytes = addressBytes(address);
  // What the system resolves to can be nothing else; refused all the same.
  if (bytes === undefined) return "unspecified";
  if (bytes.length === 4) return kindOfIpv4(bytes);
  const isAlmostZero = bytes.slice(0, 10).every((byte) => byte === 0);
  const [c = 0, d = 0] = bytes.slice(10);
  // ::ffff:127.0.0.1 goes where 127.0.0.1 goes.
  if (isAlmostZero && c === 0xff && d === 0xff) return kindOfIpv4(bytes.slice(12));
  if (isAlmostZero && c === 0 && d === 0) {
    if (bytes.slice(12, 15).some((byte) => byte !== 0)) return kindOfIpv4(bytes.slice(12));
    if (bytes[15] === 0) return "unspecified";
    if (bytes[15] === 1) return "loopback";
  }
  const [a = 0, b = 0] = bytes;
  if (a === 0xff) return "multicast";
  return a === 0xfe && (b & 0xc0) === 0x80 ? "link-local" : "other";
}

function kindOfIpv4(bytes: readonly number[]): AddressKind {
  const [a = 0, b = 0] = bytes;
  // On Linux all of 0.0.0.0/8 is this machine or nothing.
  if (a === 0) return "unspecified";
  if (a === 127) return "loopback";
  if (a === 169 && b === 254) return "link-local";
  if (a >= 224 && a < 240) return "multicast";
  return bytes.every((byte) => byte === 255) ? "broadcast" : "other";
}
