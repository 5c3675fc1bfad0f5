import {
  type HostAndPort,
  isExemptFromProxy,
  parseProxy,
  type Proxy,
  type ProxyUrls,
} from "../parse/proxy.ts";
import { writeAll } from "../io/write_all.ts";
import { BufferedReader } from "./buffered_reader.ts";
import { closeOnAbort } from "./byte_stream.ts";
import type { Connector } from "./connector.ts";
import { DialError, ResponseError } from "./errors.ts";
import { openSocksTunnel } from "./socks.ts";
import { withTimeout } from "../async/timeout.ts";

const REASON_LIMIT = 100;

/**
 * Parses the first line of a response to `CONNECT`; the reason is printable and bounded, and may be
 * empty.
 *
 * @throws {SyntaxError} When it is not HTTP.
 */
export function parseConnectResponse(line: string): { status: number; reason: string } {
  const [, status, reason = ""] = /^HTTP\/1\.[01] +([1-9]\d\d)(?: +(.*))?$/s.exec(line) ?? [];
  if (status === undefined) {
    throw new SyntaxError("Cannot parse the proxy's answer: it is not HTTP");
  }
  const printable = reason.replace(/[^\x20-\x7e]/g, "").slice(0, REASON_LIMIT);
  return { status: Number(status), reason: printable.trim() };
}

/** Longest head of a response, in bytes. */
const HEAD_LIMIT = 16 * 1024;

/**
 * Opens a tunnel to `target` through an HTTP proxy, by `CONNECT`.
 *
 * @throws {Error} When the proxy refuses (`the proxy answers 407 …`), or closes the connection.
 */
async function openHttpTunnel(
  connection: Deno.TcpConn,
  { target, proxy }: { target: HostAndPort; proxy: Proxy },
): Promise<void> {
  const { host, port } = target;
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const authorization = basicAuthorization(proxy);
  const request = [
    `CONNECT ${authority} HTTP/1.1`,
    `Host: ${authority}`,
    ...(authorization === undefined ? [] : [`Proxy-Authorization: ${authorization}`]),
    "\r\n",
  ].join("\r\n");
  await writeAll(connection, new TextEncoder().encode(request));
  const { status, reason } = parseConnectResponse(await readStatusLine(connection));
  if (status < 200 || status > 299) {
    throw new Error(`the proxy answers ${`${status} ${reason}`.trimEnd()}`);
  }
}

/** The value of `Proxy-Authorization`; `undefined` when the proxy needs no login. */
export function basicAuthorization({ login }: Proxy): string | undefined {
  if (!login) return undefined;
  const bytes = new TextEncoder().encode(`${login.user}:${login.password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/** Reads the first line of the proxy's answer, and the rest of its head. */
async function readStatusLine(connection: Deno.TcpConn): Promise<string> {
  const reader = new BufferedReader(connection);
  const closed = () => new Error("the proxy closed the connection");
  const [line = ""] = await reader.readLines(HEAD_LIMIT, closed).catch((error) => {
    throw error instanceof ResponseError ? new Error("the proxy's answer is too long") : error;
  });
  // The client speaks first through a tunnel.
  if (reader.hasUnread && /^HTTP\/1\.[01] +2/.test(line)) {
    throw new Error("the proxy sent more than its answer");
  }
  return line;
}

const ANSWER_MS = 10_000;

/** Finds the proxy for a target and opens tunnels through it. */
export class Proxies {
  readonly #plain: Proxy | undefined;
  readonly #secure: Proxy | undefined;
  readonly #exempt: string;

  /** @throws {RangeError} When a proxy can't be used; the message has no password. */
  constructor({ http, https, none }: ProxyUrls) {
    this.#plain = http === undefined ? undefined : parseProxy(http);
    this.#secure = https === undefined ? undefined : parseProxy(https);
    this.#exempt = none ?? "";
  }

  /** Finds the proxy for a target; `undefined` when it is reached directly. */
  find(target: HostAndPort, { isSecure }: { isSecure: boolean }): Proxy | undefined {
    const proxy = isSecure ? this.#secure : this.#plain;
    return proxy && !isExemptFromProxy(this.#exempt, target) ? proxy : undefined;
  }

  /**
   * Opens a tunnel to `target` over a connection to a proxy.
   *
   * @param options `connector` resolves the names that the proxy does not.
   * @throws {DialError} Of the stage "proxy", or "lookup".
   */
  async openTunnel(
    connection: Deno.TcpConn,
    options: { proxy: Proxy; target: HostAndPort; connector: Connector; signal: AbortSignal },
  ): Promise<void> {
    const { proxy, connector, signal } = options;
    let { target } = options;
    if (proxy.kind === "socks5") {
      const [host = target.host] = await connector.lookUp(target.host, { signal });
      target = { ...target, host };
    }
    const open = proxy.kind === "http" ? openHttpTunnel : openSocksTunnel;
    try {
      await withTimeout(async (signal) => {
        using _ = closeOnAbort(connection, signal);
        await open(connection, { target, proxy });
      }, { timeoutMs: ANSWER_MS, signal });
    } catch (cause) {
      signal.throwIfAborted();
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `Cannot connect to ${options.target.host} through the proxy ${proxy.host} ` +
        `port ${proxy.port}: ${reason}`;
      throw new DialError(message, { stage: "proxy", cause });
    }
  }
}
