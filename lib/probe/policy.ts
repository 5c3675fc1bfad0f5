import { delay } from "@std/async/delay";
import type { SystemResolver } from "../net/dns.ts";
import { addressBytes } from "../parse/ip_address.ts";

/** A probe was refused for the address that it would have reached, or for coming too often. */
export class ProbeRefusedError extends Error {
  override name = "ProbeRefusedError";
}

/** Settings of what may be probed. */
export interface ProbePolicyOptions {
  /** Whether this machine's own loopback addresses may be probed. */
  readonly allowLoopback: boolean;
  readonly resolver: Pick<SystemResolver, "resolve">;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
}

/** Probes of one address and port begin at least this far apart. */
const SPACING_MS = 1000;

/** A probe that would wait for longer is refused: its value would be of another time. */
const MAX_WAIT_MS = 10_000;

/** Above this number, targets whose time is over are forgotten. */
const PRUNE_ABOVE = 1024;

/**
 * Bounds what a panel can reach by probes, and how often: no link-local, multicast, broadcast or
 * unspecified address, no loopback unless it is allowed, and one probe a second to an address and
 * port, however many tasks name it.
 */
export class ProbePolicy {
  readonly #options: ProbePolicyOptions;
  /** When the next probe may begin, by address and port. */
  readonly #nextMs = new Map<string, number>();

  constructor(options: ProbePolicyOptions) {
    this.#options = options;
  }

  /**
   * The addresses of a host that may be probed. A name is judged by what it resolves to.
   *
   * @throws {ProbeRefusedError} When none of them may be.
   * @throws {Error} When the name has no address.
   */
  async resolve(host: string, options: { signal: AbortSignal }): Promise<string[]> {
    const addresses = await this.#options.resolver.resolve(host, options);
    const refusals: string[] = [];
    const allowed = addresses.filter((address) => {
      const kind = addressKind(address);
      const isAllowed = kind === "other" || (kind === "loopback" && this.#options.allowLoopback);
      if (!isAllowed) refusals.push(`${address} is a ${kind} address`);
      return isAllowed;
    });
    const [refusal] = refusals;
    if (allowed.length > 0 || refusal === undefined) return allowed;
    const hint = refusal.includes("loopback") ? "; --allow-local-probes permits it" : "";
    throw new ProbeRefusedError(`Refused to probe ${host}: ${refusal}${hint}`);
  }

  /**
   * Waits for the turn of a probe of all these addresses.
   *
   * @param options `port`: absent for ICMP, which has none.
   * @throws {ProbeRefusedError} When it would have to wait for more than 10 s.
   * @throws The signal's reason when it aborts.
   */
  async wait(
    addresses: readonly string[],
    options: { port?: number | undefined; signal: AbortSignal },
  ): Promise<void> {
    const keys = addresses.map((address) => `${address} ${options.port ?? "icmp"}`);
    const nowMs = this.#options.monotonicMs();
    const turnMs = Math.max(nowMs, ...keys.map((key) => this.#nextMs.get(key) ?? nowMs));
    if (turnMs - nowMs > MAX_WAIT_MS) {
      throw new ProbeRefusedError(`Refused to probe ${addresses[0]} more than once a second`);
    }
    for (const key of keys) this.#nextMs.set(key, turnMs + SPACING_MS);
    if (this.#nextMs.size > PRUNE_ABOVE) {
      for (const [key, nextMs] of this.#nextMs) if (nextMs <= nowMs) this.#nextMs.delete(key);
    }
    if (turnMs > nowMs) await delay(turnMs - nowMs, { signal: options.signal });
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
