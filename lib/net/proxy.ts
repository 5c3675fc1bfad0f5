import { addressBytes } from "../parse/ip_address.ts";
import {
  basicCredentials,
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
import { withTimeout } from "../async/timeout.ts";

const REASON_LIMIT = 100;

/**
 * Parses the first line of a response to `CONNECT`; the reason is printable and bounded, and may be
 * empty.
 *
 * @throws {SyntaxError} When it is not HTTP.
 */
function parseConnectResponse(line: string): { status: number; reason: string } {
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
  return `Basic ${basicCredentials(login)}`;
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

const SOCKS_VERSION = 5;
const LOGIN_VERSION = 1;
const NO_LOGIN = 0;
const LOGIN = 2;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

/** Longest name, user or password, in bytes. */
const TEXT_LIMIT = 255;

/** Messages for the reply codes of RFC 1928. */
const REFUSALS: readonly string[] = [
  "",
  "with a general failure",
  "that its rules forbid the connection",
  "that the network is unreachable",
  "that the host is unreachable",
  "that the connection was refused",
  "that the TTL expired",
  "that it does not support CONNECT",
  "that it does not support this type of address",
];

/**
 * Opens a tunnel to `target` through a SOCKS 5 proxy (RFC 1928). A host that is no IP literal is
 * resolved by the proxy.
 *
 * @throws {Error} When the proxy refuses (`the proxy answers that …`), or closes the connection.
 */
async function openSocksTunnel(
  connection: Deno.TcpConn,
  { target, proxy }: { target: HostAndPort; proxy: Proxy },
): Promise<void> {
  const methods = proxy.login ? [NO_LOGIN, LOGIN] : [NO_LOGIN];
  await writeAll(connection, Uint8Array.of(SOCKS_VERSION, methods.length, ...methods));
  const [version, method] = await readSocks(connection, 2);
  if (version !== SOCKS_VERSION) throw new Error("the proxy does not speak SOCKS 5");
  if (method === LOGIN && proxy.login) {
    await logInToSocks(connection, proxy.login);
  } else if (method !== NO_LOGIN) {
    throw new Error("the proxy requires another authentication method");
  }
  const { port } = target;
  const request = [SOCKS_VERSION, CONNECT, 0, ...socksAddress(target.host), port >> 8, port & 0xff];
  await writeAll(connection, Uint8Array.from(request));
  await readSocksReply(connection);
}

async function logInToSocks(
  connection: Deno.TcpConn,
  { user, password }: { user: string; password: string },
): Promise<void> {
  const login = [LOGIN_VERSION, ...counted(user, "user"), ...counted(password, "password")];
  await writeAll(connection, Uint8Array.from(login));
  const [, status] = await readSocks(connection, 2);
  if (status !== 0) throw new Error("the proxy answers that user or password is wrong");
}

function socksAddress(host: string): number[] {
  const bytes = addressBytes(host);
  if (!bytes) return [NAME, ...counted(host, "host")];
  return [bytes.length === 4 ? IPV4 : IPV6, ...bytes];
}

function counted(text: string, what: string): number[] {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > TEXT_LIMIT) throw new RangeError(`the ${what} is too long for SOCKS 5`);
  return [bytes.length, ...bytes];
}

async function readSocksReply(connection: Deno.TcpConn): Promise<void> {
  const [version, code = 1, , kind] = await readSocks(connection, 4);
  if (version !== SOCKS_VERSION) throw new Error("the proxy does not speak SOCKS 5");
  if (code !== 0) throw new Error(`the proxy answers ${REFUSALS[code] ?? `failure ${code}`}`);
  // The bound address is not needed, but has to be read.
  const length = kind === IPV4 ? 4 : kind === IPV6 ? 16 : (await readSocks(connection, 1))[0] ?? 0;
  await readSocks(connection, length + 2);
}

/** Reads exactly so many bytes, and none of those that follow. */
async function readSocks(connection: Deno.TcpConn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let received = 0; received < length;) {
    const count = await connection.read(bytes.subarray(received));
    if (count === null) throw new Error("the proxy closed the connection");
    received += count;
  }
  return bytes;
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
