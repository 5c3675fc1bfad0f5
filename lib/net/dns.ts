import { abortable } from "@std/async/abortable";
import { delay } from "@std/async/delay";
import { ipFamily } from "../parse/ip_address.ts";
import type { HostAndPort } from "../parse/proxy.ts";
import { withTimeout } from "../async/timeout.ts";
import { connectErrorMessage } from "./error_messages.ts";
import { connectAbortable } from "./happy_eyeballs.ts";

/** How the system knows names: the helper shell of an agent, or the runtime. */
export interface SystemNames {
  /** All addresses of a name in the system's order; none, or an error, when it has none. */
  lookUp(host: string): Promise<readonly string[]>;
  /** Those of `/etc/hosts` alone. */
  lookUpHosts(host: string): Promise<readonly string[]>;
  /** Those that were asked about the last name without an address; absent where the error tells it. */
  readonly nameServers?: readonly string[] | undefined;
}

/** By the runtime, in this process. */
export const RUNTIME_NAMES: SystemNames = {
  async lookUp(host) {
    // Loaded on first use: it costs megabytes that an agent with a helper shell saves.
    const { lookup } = await import("node:dns/promises");
    const found = await lookup(host, { all: true, order: "verbatim" });
    return found.map(({ address }) => address);
  },
  async lookUpHosts(host) {
    return lookUpHostsFile(await Deno.readTextFile("/etc/hosts"), host);
  },
};

/** Lookups that may hang: they can't be cancelled, so more are refused. */
const LOOKUPS_LIMIT = 64;
/** Those of probes, whose names a panel chooses: the others are left for the panels' own. */
const PROBE_LOOKUPS_LIMIT = 48;

/** Options of a lookup. */
interface LookupOptions {
  readonly signal: AbortSignal;
  /**
   * Whether it is a probe's, whose names a panel chooses: it leaves lookups for the panels' own names, and
   * asks no name server why it failed.
   */
  readonly isProbe?: boolean;
}

/** Age up to which an answer from ahead is used. */
const AHEAD_MS = 5_000;

/** Resolves host names as the system does (`/etc/hosts`, DNS), without a cache. */
export class SystemResolver {
  readonly #names: SystemNames;
  readonly #inFlight = new Map<string, Promise<string[]>>();
  /** Names that had an address: a missing one is no mistake in the name. */
  readonly #known = new Set<string>();
  readonly #ahead = new Map<string, { answer: Promise<string[]>; askedAtMs: number }>();

  constructor(names: SystemNames = RUNTIME_NAMES) {
    this.#names = names;
  }

  /** Starts a lookup whose answer is given once, to who asks within 5 s. */
  lookUpAhead(host: string): void {
    if (ipFamily(host) !== undefined) return;
    this.#ahead.set(host, { answer: this.#shared(host), askedAtMs: performance.now() });
  }

  /**
   * Resolves to the first IPv4 and the first IPv6 address, in this order: a machine may have a
   * route to one of them only. An IP literal is its own address.
   *
   * @throws {Error} When the name has no address (`Cannot resolve …`).
   */
  async resolve(host: string, options: LookupOptions): Promise<string[]> {
    const addresses = await this.resolveAll(host, options);
    return [4, 6].flatMap((family) =>
      addresses.find((address) => ipFamily(address) === family) ?? []
    );
  }

  /**
   * Resolves to all addresses in the system's order, at least one. An IP literal is its own address.
   *
   * @throws {Error} When the name has no address (`Cannot resolve …`).
   */
  async resolveAll(host: string, { signal, isProbe }: LookupOptions): Promise<readonly string[]> {
    signal.throwIfAborted();
    if (ipFamily(host) !== undefined) return [host];
    return await abortable(this.#takeAhead(host) ?? this.#shared(host, isProbe), signal);
  }

  /** Resolves to the addresses of a name in `/etc/hosts` alone; to none when it can't be read. */
  async resolveByHosts(host: string, options: { signal: AbortSignal }): Promise<readonly string[]> {
    return await abortable(this.#names.lookUpHosts(host).catch(() => []), options.signal);
  }

  #takeAhead(host: string): Promise<string[]> | undefined {
    const ahead = this.#ahead.get(host);
    this.#ahead.delete(host);
    return ahead && performance.now() - ahead.askedAtMs < AHEAD_MS ? ahead.answer : undefined;
  }

  /** Shares one lookup between all panels, or all probes, that want the same name. */
  #shared(host: string, isProbe = false): Promise<string[]> {
    // A probe's lookup can't tell a panel why it failed.
    const key = `${isProbe ? "probe" : "panel"} ${host}`;
    const running = this.#inFlight.get(key);
    if (running) return running;
    if (this.#inFlight.size >= (isProbe ? PROBE_LOOKUPS_LIMIT : LOOKUPS_LIMIT)) {
      return Promise.reject(new Error(`Cannot resolve ${host}: too many lookups hang`));
    }
    const lookup = this.#addresses(host, isProbe).finally(() => this.#inFlight.delete(key));
    // All callers may have aborted by the time it fails.
    lookup.catch(() => {});
    this.#inFlight.set(key, lookup);
    return lookup;
  }

  async #addresses(host: string, isProbe: boolean): Promise<string[]> {
    let found: readonly string[];
    const askedAtMs = performance.now();
    try {
      found = await this.#names.lookUp(host);
    } catch (cause) {
      throw new Error(`Cannot resolve ${host}`, { cause });
    }
    if (found.length >= MANY_ADDRESSES) await delay(MANY_ADDRESSES_MS, { persistent: false });
    const addresses = found.filter((address) => ipFamily(address) !== undefined);
    if (addresses.length > 0) {
      if (this.#known.size < LOOKUPS_LIMIT) this.#known.add(host);
      return addresses;
    }
    const tookMs = performance.now() - askedAtMs;
    const { nameServers } = this.#names;
    const dead = nameServers?.length === 0
      ? "/etc/resolv.conf names no name server"
      : await deadServers(
        isProbe ? [] : nameServers ?? [],
        this.#known.has(host) ? Infinity : tookMs,
      );
    throw new Error(`Cannot resolve ${host}${dead === undefined ? ": it has no address" : ""}`, {
      cause: dead === undefined ? undefined : new Error(dead),
    });
  }
}

/** All that the helper shell gives of a name. Sorting thousands costs the system 30 ms, so fewer such lookups start. */
const MANY_ADDRESSES = 32;
const MANY_ADDRESSES_MS = 1_000;
const SERVER_MS = 2_000;

/** The system waits for 5 s for each answer by UDP. */
const SILENT_MS = 4_000;
/** There is no way to it, for UDP either. */
const NO_NETWORK = /is unreachable|is down|leads nowhere/;

/**
 * Says that none of these name servers can be reached; `undefined` where one can, or none is known. Asked
 * by TCP: a sealed process may not bind the socket that UDP needs. Some servers take UDP alone, so a quick
 * failure of the system's own lookup, by UDP, may be the answer that there is no such name.
 */
async function deadServers(
  servers: readonly string[],
  tookMs: number,
): Promise<string | undefined> {
  const [first] = servers;
  if (first === undefined) return undefined;
  const failures = await Promise.all(
    servers.map((server) =>
      withTimeout((signal) => connectAbortable(server, { port: 53, signal }), {
        timeoutMs: SERVER_MS,
      })
        .then((connection) => connection.close(), (error: unknown) => connectErrorMessage(error))
    ),
  );
  if (failures.some((failure) => failure === undefined)) return undefined;
  const dead = `the name server ${servers.join(", ")} does not answer`;
  const isCertain = tookMs >= SILENT_MS || failures.every((it) => NO_NETWORK.test(it ?? ""));
  return isCertain
    ? `${dead} (${failures[0]})`
    : `${dead} (${failures[0]}), or has no address that this machine can use`;
}

/**
 * Finds the addresses of a name in the text of `/etc/hosts`, in its order.
 *
 * Malformed lines are ignored, as the system does.
 */
export function lookUpHostsFile(text: string, host: string): string[] {
  const wanted = host.toLowerCase();
  const addresses: string[] = [];
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (ipFamily(address) === undefined) continue;
    if (names.some((name) => name.toLowerCase() === wanted)) addresses.push(address);
  }
  return addresses;
}

const QUERY_MS = 5000;

/** Time for the second family once the first has answered: some routers drop AAAA queries. */
const OTHER_FAMILY_MS = 500;

/** Resolves host names by a configured name server, without a cache. */
export class NameServerResolver {
  readonly #address: HostAndPort;
  readonly #system: SystemResolver;

  /** @param system For the name of the server, and the names in `/etc/hosts`. */
  constructor(address: HostAndPort, system: SystemResolver = new SystemResolver()) {
    this.#address = address;
    this.#system = system;
  }

  /**
   * Resolves to all addresses, IPv4 before IPv6, at least one. The server is not asked about IP
   * literals, `localhost` and the names in `/etc/hosts`.
   *
   * @throws {Error} When there is none, or no answer for 5 s.
   */
  async resolveAll(host: string, options: { signal: AbortSignal }): Promise<readonly string[]> {
    const { signal } = options;
    signal.throwIfAborted();
    if (ipFamily(host) !== undefined) return [host];
    const name = host.replace(/\.$/, "");
    const known = await this.#system.resolveByHosts(name, { signal });
    if (known.length > 0) return known;
    if (name === "localhost" || name.endsWith(".localhost")) return ["127.0.0.1", "::1"];
    return await withTimeout((signal) => this.#ask(host, signal), {
      timeoutMs: QUERY_MS,
      signal,
    });
  }

  async #ask(host: string, signal: AbortSignal): Promise<readonly string[]> {
    const { host: server, port } = this.#address;
    const [ipAddr = server] = await this.#system.resolve(server, { signal }).catch(() => {
      signal.throwIfAborted();
      throw new Error(`the configured name server ${server} has no address`);
    });
    const late = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const questions = (["A", "AAAA"] as const).map(async (type) => {
      const found = await Deno.resolveDns(host, type, {
        nameServer: { ipAddr, port },
        signal: AbortSignal.any([signal, late.signal]),
      });
      timer ??= setTimeout(() => late.abort(), OTHER_FAMILY_MS);
      return found;
    });
    const answers = await Promise.allSettled(questions);
    clearTimeout(timer);
    signal.throwIfAborted();
    const addresses = answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : [])
      .filter((address) => ipFamily(address) !== undefined);
    if (addresses.length > 0) return addresses;
    const cause = answers.find((answer) => answer.status === "rejected")?.reason;
    if (cause instanceof Deno.errors.TimedOut) {
      throw new Error(`the configured name server ${server} port ${port} does not answer`);
    }
    throw new Error(`Cannot resolve ${host}: it has no address`, { cause });
  }
}
