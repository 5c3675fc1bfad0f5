import { LineError } from "../net/errors.ts";
import { parseProxy, type Proxy } from "../parse/proxy.ts";
import { isExemptFromProxy } from "../parse/proxy_exemption.ts";
import { closedOnAbort } from "./close_quietly.ts";
import type { Connector, Endpoint } from "./connector.ts";
import { openHttpTunnel } from "./http_tunnel.ts";
import { openSocksTunnel } from "./socks_tunnel.ts";
import { withTimeLimit } from "./time_limit.ts";

/** What `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say. */
export interface ProxySettings {
  /** For `http:` and `ws:`. */
  readonly http?: string;
  /** For `https:` and `wss:`. */
  readonly https?: string;
  /** Who is reached without a proxy. */
  readonly none?: string;
}

const ANSWER_MS = 10_000;

/** Which proxy leads where, and how to get through it. */
export class Proxies {
  readonly #plain: Proxy | undefined;
  readonly #secure: Proxy | undefined;
  readonly #exempt: string;

  /** @throws {RangeError} When a proxy can't be used; the message has no password. */
  constructor({ http, https, none }: ProxySettings) {
    this.#plain = http === undefined ? undefined : parseProxy(http);
    this.#secure = https === undefined ? undefined : parseProxy(https);
    this.#exempt = none ?? "";
  }

  /** The proxy that leads to a target; `undefined` when none does. */
  find(target: Endpoint, { isSecure }: { isSecure: boolean }): Proxy | undefined {
    const proxy = isSecure ? this.#secure : this.#plain;
    return proxy && !isExemptFromProxy(this.#exempt, target) ? proxy : undefined;
  }

  /**
   * Has a proxy lead the connection to it on to `target`.
   *
   * @param options `connector` looks up the names that the proxy does not.
   * @throws {LineError} Of the stage "proxy", or "lookup".
   */
  async passThrough(
    connection: Deno.TcpConn,
    options: { proxy: Proxy; target: Endpoint; connector: Connector; signal: AbortSignal },
  ): Promise<void> {
    const { proxy, connector, signal } = options;
    let { target } = options;
    if (proxy.kind === "socks5") {
      const [host = target.host] = await connector.lookUp(target.host, { signal });
      target = { ...target, host };
    }
    const open = proxy.kind === "http" ? openHttpTunnel : openSocksTunnel;
    try {
      await withTimeLimit(async (signal) => {
        using _ = closedOnAbort(connection, signal);
        await open(connection, { target, proxy });
      }, { ms: ANSWER_MS, signal });
    } catch (cause) {
      signal.throwIfAborted();
      const reason = cause instanceof Error ? cause.message : String(cause);
      const way = `by ${proxy.host} port ${proxy.port}`;
      const message = `Cannot connect to ${options.target.host} ${way}: ${reason}`;
      throw new LineError(message, { stage: "proxy", cause });
    }
  }
}
