import { urlHost } from "../parse/probe_target.ts";
import { closeQuietly, ConnectionStream, type Dialer, type DialResult } from "./byte_stream.ts";
import { Connector, type ConnectorOptions } from "./connector.ts";
import { basicAuthorization, Proxies, type ProxySettings } from "./proxy.ts";
import { Tls, type TrustOptions } from "./tls.ts";

/** Options of a dialer. */
export interface DialerOptions extends ConnectorOptions, TrustOptions {
  readonly proxies?: ProxySettings;
}

/** Opens streams with the configured name server, address family, proxy and trust. */
export class NetDialer implements Dialer {
  readonly #connector: Connector;
  readonly #proxies: Proxies;
  readonly #tls: Tls;

  /** @throws {RangeError} When a proxy's URL can't be used; the message has no password. */
  constructor(options: DialerOptions = {}) {
    this.#connector = new Connector(options);
    this.#proxies = new Proxies(options.proxies ?? {});
    this.#tls = new Tls(options);
  }

  async dial(url: URL, { signal }: { signal: AbortSignal }): Promise<DialResult> {
    const isSecure = url.protocol === "https:" || url.protocol === "wss:";
    const port = url.port === "" ? (isSecure ? 443 : 80) : Number(url.port);
    const target = { host: urlHost(url), port };
    const connector = this.#connector;
    const proxy = this.#proxies.find(target, { isSecure });
    const connection = proxy
      ? await connector.connect(proxy, { signal, role: "the proxy" })
      : await connector.connect(target, { signal });
    try {
      if (proxy?.kind === "http" && url.protocol === "http:") {
        const authorization = basicAuthorization(proxy);
        const forward = authorization === undefined ? {} : { authorization };
        return { stream: new ConnectionStream(connection), forward };
      }
      if (proxy) {
        await this.#proxies.openTunnel(connection, { proxy, target, connector, signal });
      }
      const stream = isSecure
        ? await this.#tls.start(connection, { ...target, signal })
        : new ConnectionStream(connection);
      return { stream };
    } catch (error) {
      closeQuietly(connection);
      throw error;
    }
  }
}
