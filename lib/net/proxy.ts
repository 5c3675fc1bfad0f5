import { isExemptFromProxy, parseProxy, type Proxy } from "../parse/proxy.ts";
import { closeOnAbort, writeAll } from "./byte_stream.ts";
import type { Connector, HostAndPort } from "./connector.ts";
import { DialError } from "./errors.ts";
import { openSocksTunnel } from "./socks.ts";
import { withTimeout } from "./timeout.ts";

/** What a proxy says to `CONNECT`. */
export interface ConnectResponse {
  status: number;
  /** Its own words for it, fit for a log; may be empty. */
  reason: string;
}

const REASON_LIMIT = 100;

/**
 * Reads the first line of the head that a proxy answers with.
 *
 * @throws {SyntaxError} When that is no HTTP.
 */
export function parseConnectResponse(head: string): ConnectResponse {
  const [, status, reason = ""] = /^HTTP\/1\.[01] +([1-9]\d\d)(?: +([^\r\n]*))?\r?\n/.exec(head) ??
    [];
  if (status === undefined) throw new SyntaxError("Cannot parse the proxy's answer: it is no HTTP");
  const printable = reason.replace(/[^\x20-\x7e]/g, "").slice(0, REASON_LIMIT);
  return { status: Number(status), reason: printable.trim() };
}

/** The head of a proxy's answer. */
const HEAD_LIMIT = 16 * 1024;

/**
 * Asks an HTTP proxy to lead a connection on to `target`, by `CONNECT`.
 *
 * @throws {Error} When it does not (`the proxy answers 407 …`), or the connection is closed.
 */
export async function openHttpTunnel(
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
  const { status, reason } = parseConnectResponse(await readHead(connection));
  if (status < 200 || status > 299) {
    throw new Error(`the proxy answers ${`${status} ${reason}`.trimEnd()}`);
  }
}

/** The value of `Proxy-Authorization`; `undefined` when the proxy's URL has no user. */
export function basicAuthorization({ login }: Proxy): string | undefined {
  if (!login) return undefined;
  const bytes = new TextEncoder().encode(`${login.user}:${login.password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

async function readHead(connection: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(1024);
  let head = "";
  while (head.length < HEAD_LIMIT) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error("the proxy hung up");
    // Byte for character, since a word in another encoding must not move the end.
    head += String.fromCharCode(...buffer.subarray(0, count));
    const end = /\r?\n\r?\n/.exec(head);
    if (!end) continue;
    const isTunnel = /^HTTP\/1\.[01] +2/.test(head);
    // Through a tunnel this side speaks first.
    if (isTunnel && end.index + end[0].length < head.length) {
      throw new Error("the proxy says more than its answer");
    }
    return head;
  }
  throw new Error("the proxy's answer is too long");
}

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
  find(target: HostAndPort, { isSecure }: { isSecure: boolean }): Proxy | undefined {
    const proxy = isSecure ? this.#secure : this.#plain;
    return proxy && !isExemptFromProxy(this.#exempt, target) ? proxy : undefined;
  }

  /**
   * Has a proxy lead the connection to it on to `target`.
   *
   * @param options `connector` looks up the names that the proxy does not.
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
      const way = `by ${proxy.host} port ${proxy.port}`;
      const message = `Cannot connect to ${options.target.host} ${way}: ${reason}`;
      throw new DialError(message, { stage: "proxy", cause });
    }
  }
}
