import { getLogger, roundMs } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { ipFamily } from "../parse/ip_address.ts";
import type { HostAndPort } from "../parse/proxy.ts";
import { closeQuietly, type DialCall } from "./byte_stream.ts";
import { NameServerResolver, SystemResolver } from "./dns.ts";
import { connectErrorMessage, lookupErrorMessage } from "./error_messages.ts";
import { DialError } from "./errors.ts";
import { connectHappyEyeballs } from "./happy_eyeballs.ts";
import { withTimeout } from "../async/timeout.ts";

/** Options of a connector. */
export interface ConnectorOptions {
  readonly preferFamily?: 4 | 6 | undefined;
  /** Asked in place of the system's. */
  readonly nameServer?: HostAndPort | undefined;
}

/** Options of one connection; `role` names the host in errors, such as `the proxy`. */
export interface ConnectOptions extends DialCall {
  readonly role?: string;
}

/** The system asks its second name server after 5 s. */
const LOOKUP_MS = 8_000;

/** A lookup that takes so long has waited for a name server that does not answer. */
const SLOW_LOOKUP_MS = 4_000;

const CONNECT_MS = 10_000;

/** Addresses that are tried: a name server may list hundreds. */
const ADDRESSES_LIMIT = 16;

/** Opens TCP connections to hosts, by all of their addresses. */
export class Connector {
  readonly #firstFamily: 4 | 6 | undefined;
  readonly #resolver: SystemResolver | NameServerResolver;
  readonly #system: SystemResolver;
  readonly #nameServer: HostAndPort | undefined;
  readonly #log = getLogger("net");
  readonly #slowLog = LogRateLimit.once();

  constructor(
    { preferFamily, nameServer }: ConnectorOptions,
    system: SystemResolver = new SystemResolver(),
  ) {
    // The answers of a name server are in no order.
    this.#firstFamily = preferFamily ?? (nameServer && 4);
    this.#resolver = nameServer ? new NameServerResolver(nameServer, system) : system;
    this.#system = system;
    this.#nameServer = nameServer;
  }

  /**
   * Opens a connection, with `TCP_NODELAY` and the kernel's keep-alive.
   *
   * @throws {DialError} Of the stage "lookup" or "connect".
   */
  async connect(endpoint: HostAndPort, call: ConnectOptions): Promise<Deno.TcpConn> {
    const { host, port } = endpoint;
    const { signal } = call;
    const isLiteral = ipFamily(host) !== undefined;
    if (!isLiteral) call.onStage?.("lookup");
    const addresses = isLiteral ? [host] : await this.lookUp(host, call);
    call.onStage?.("connect");
    try {
      const connection = await withTimeout(
        (signal) => connectHappyEyeballs(addresses, { port, signal }),
        { timeoutMs: CONNECT_MS, signal },
      );
      try {
        connection.setNoDelay(true);
        connection.setKeepAlive(true);
      } catch (cause) {
        // The peer has already closed it.
        closeQuietly(connection);
        throw cause;
      }
      return connection;
    } catch (cause) {
      signal.throwIfAborted();
      throw failure(endpoint, { ...call, addresses, cause });
    }
  }

  /** Starts to resolve the name of a host, or that of the configured name server. */
  lookUpAhead(host: string): void {
    this.#system.lookUpAhead(this.#nameServer?.host ?? host);
  }

  /**
   * Resolves all addresses of a host, in the order to try them.
   *
   * @throws {DialError} When there is none.
   */
  async lookUp(host: string, call: ConnectOptions): Promise<readonly string[]> {
    const { signal } = call;
    try {
      const startedAtMs = performance.now();
      const found = await withTimeout(
        (signal) => this.#resolver.resolveAll(host, { signal }),
        { timeoutMs: LOOKUP_MS, signal },
      );
      const addresses = this.#ordered(found).slice(0, ADDRESSES_LIMIT);
      const ms = performance.now() - startedAtMs;
      if (ms >= SLOW_LOOKUP_MS && this.#slowLog.allows()) {
        this.#log.warning(
          "Resolving {host} took {seconds} s \u2192 see whether the first name server answers: cat /etc/resolv.conf",
          { host, seconds: Math.round(ms / 1000) },
        );
      }
      this.#log.debug("Resolved {host} in {ms} ms: {addresses}", {
        event: "resolved",
        host,
        addresses: addresses.join(", "),
        ms: roundMs(ms),
      });
      return addresses;
    } catch (cause) {
      signal.throwIfAborted();
      throw lookupFailure(host, { ...call, cause });
    }
  }

  /** The preferred family before the other; else the families in turn, from that of the first on. */
  #ordered(addresses: readonly string[]): readonly string[] {
    const first = this.#firstFamily ?? ipFamily(addresses[0] ?? "");
    const those = addresses.filter((address) => ipFamily(address) === first);
    const others = addresses.filter((address) => ipFamily(address) !== first);
    if (this.#firstFamily !== undefined) return [...those, ...others];
    return addresses.flatMap((_, index) =>
      [those[index], others[index]].filter((address) => address !== undefined)
    );
  }
}

function lookupFailure(host: string, call: { role?: string; cause: unknown }): DialError {
  const { role, cause } = call;
  const message = `Cannot resolve ${named(host, role)}: ${lookupErrorMessage(cause)}`;
  return new DialError(message, { stage: "lookup", cause });
}

function failure(
  { host, port }: HostAndPort,
  call: { role?: string; addresses?: readonly string[]; cause: unknown },
): DialError {
  const { role, addresses: [first, ...more] = [], cause } = call;
  const others = more.length > 0 ? ` and ${more.length} more` : "";
  const where = first === undefined || first === host
    ? `${named(host, role)} port ${port}`
    : `${named(host, role)} port ${port} (${first}${others})`;
  const message = `Cannot connect to ${where}: ${connectErrorMessage(cause)}`;
  return new DialError(message, { stage: "connect", cause });
}

function named(host: string, role: string | undefined): string {
  return role === undefined ? host : `${role} ${host}`;
}
