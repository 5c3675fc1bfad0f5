import { getLogger, roundMs } from "../log/log.ts";
import type { HostAndPort, Proxy, ProxyUrls } from "../parse/proxy.ts";
import { urlHost } from "../parse/probe_target.ts";
import {
  closeQuietly,
  ConnectionStream,
  type DialCall,
  type Dialer,
  type DialResult,
} from "./byte_stream.ts";
import type { SystemResolver } from "./dns.ts";
import { Connector, type ConnectorOptions } from "./connector.ts";
import { basicAuthorization, Proxies } from "./proxy.ts";
import { gatherRandomness } from "./node_tls.ts";
import { Tls, type TrustOptions } from "./tls.ts";

/** Options of a dialer. */
export interface DialerOptions extends ConnectorOptions, TrustOptions {
  readonly proxies?: ProxyUrls;
}

/** Opens streams with the configured name server, address family, proxy and trust. */
export class NetDialer implements Dialer {
  readonly #connector: Connector;
  readonly #proxies: Proxies;
  readonly #tls: Tls;
  readonly #log = getLogger("net");

  /**
   * @param system How names are resolved, also that of a configured name server.
   * @throws {RangeError} When a proxy's URL can't be used; the message has no password.
   */
  constructor(options: DialerOptions = {}, system?: SystemResolver) {
    this.#connector = new Connector(options, system);
    this.#proxies = new Proxies(options.proxies ?? {});
    this.#tls = new Tls(options);
  }

  async dial(url: URL, call: DialCall): Promise<DialResult> {
    const { signal } = call;
    const { isOfAuthority } = this.#tls;
    try {
      return await this.#dialOnce(url, call);
    } catch (error) {
      signal.throwIfAborted();
      if (isOfAuthority || !this.#tls.isOfAuthority) throw error;
      return await this.#dialOnce(url, call);
    }
  }

  async #dialOnce(url: URL, { signal, onStage }: DialCall): Promise<DialResult> {
    const { isSecure, target } = serverOf(url);
    const { connection, forward } = await this.connect(url, { signal, onStage });
    try {
      onStage?.(isSecure ? "tls" : undefined);
      if (!isSecure) return { stream: new ConnectionStream(connection), forward };
      const startedAtMs = performance.now();
      const stream = await this.#tls.start(connection, { ...target, signal });
      const { host } = target;
      const ms = roundMs(performance.now() - startedAtMs);
      this.#log.debug("TLS with {host} in {ms} ms", { event: "tls", host, ms });
      onStage?.(undefined);
      return { stream, forward };
    } catch (error) {
      closeQuietly(connection);
      throw error;
    }
  }

  /**
   * Connects to the server of a URL, through the proxy if there is one, without TLS.
   *
   * @throws {DialError} When it fails.
   */
  async connect(
    url: URL,
    { signal, onStage }: DialCall,
  ): Promise<{ connection: Deno.TcpConn; forward?: DialResult["forward"] }> {
    const { target } = serverOf(url);
    const connector = this.#connector;
    const proxy = this.proxyFor(url);
    const startedAtMs = performance.now();
    const connection = proxy
      ? await connector.connect(proxy, { signal, onStage, role: "the proxy" })
      : await connector.connect(target, { signal, onStage });
    const { hostname: address } = connection.remoteAddr;
    this.#log.debug("Connected to {host} port {port} at {address} by IPv{family} in {ms} ms", {
      event: "connected",
      host: proxy?.host ?? target.host,
      port: proxy?.port ?? target.port,
      address,
      family: address.includes(":") ? 6 : 4,
      ms: roundMs(performance.now() - startedAtMs),
    });
    try {
      if (proxy?.kind === "http" && url.protocol === "http:") {
        const authorization = basicAuthorization(proxy);
        return { connection, forward: authorization === undefined ? {} : { authorization } };
      }
      if (proxy) {
        onStage?.("proxy");
        await this.#proxies.openTunnel(connection, { proxy, target, connector, signal });
      }
      return { connection };
    } catch (error) {
      closeQuietly(connection);
      throw error;
    }
  }

  /** Starts what a connection to a URL's server, within 5 s, will need: its address and randomness for TLS. */
  prepare(url: URL): void {
    const { isSecure, target } = serverOf(url);
    this.#connector.lookUpAhead((this.proxyFor(url) ?? target).host);
    if (isSecure) gatherRandomness().catch(() => {});
  }

  /** The proxy on the way to the server of a URL; `undefined` if there is none. */
  proxyFor(url: URL): Proxy | undefined {
    const { isSecure, target } = serverOf(url);
    return this.#proxies.find(target, { isSecure });
  }
}

function serverOf(url: URL): { isSecure: boolean; target: HostAndPort } {
  const isSecure = url.protocol === "https:" || url.protocol === "wss:";
  const port = url.port === "" ? (isSecure ? 443 : 80) : Number(url.port);
  return { isSecure, target: { host: urlHost(url), port } };
}
