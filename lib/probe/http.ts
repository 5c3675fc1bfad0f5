import { describeError } from "../log/log.ts";
import { closeQuietly as close, copy, readExact } from "../net/byte_stream.ts";
import { writeAll } from "../write_all.ts";
import type { SystemResolver } from "../net/dns.ts";
import { connectFirstReachable, type ReachableOptions } from "../net/happy_eyeballs.ts";
import { parseProbeTarget, urlHost, urlPort } from "../parse/probe_target.ts";

/** Variables that exempt hosts from proxies. */
const EXEMPTIONS = ["NO_PROXY", "no_proxy"] as const;

/**
 * A client for `fetch` that reaches every host through `proxyUrl`, regardless of the proxies and
 * exemptions of the environment, with HTTP/1.1 and without keep-alive.
 *
 * @param options `caCerts`: authorities to trust beside the built-in ones, in PEM.
 */
export function createPinnedClient(
  proxyUrl: string,
  options: { caCerts?: string[] } = {},
): Deno.HttpClient {
  return withoutExemptions(() =>
    Deno.createHttpClient({
      proxy: { transport: "socks5", url: proxyUrl },
      poolMaxIdlePerHost: 0,
      http2: false,
      ...options,
    })
  );
}

/**
 * Creates a client without the exemptions, which the runtime reads from the environment when the
 * client is created. They are set empty rather than deleted, since other threads may read the
 * environment at the same time.
 */
function withoutExemptions<T>(create: () => T): T {
  const before = EXEMPTIONS.map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of before) if (value) Deno.env.set(name, "");
  try {
    return create();
  } finally {
    for (const [name, value] of before) if (value) Deno.env.set(name, value);
  }
}

/** SOCKS 5: no authentication. */
const NO_AUTHENTICATION = Uint8Array.of(5, 0);

/** SOCKS 5: connected, from 0.0.0.0 port 0. */
const CONNECTED = Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0);

/**
 * A SOCKS 5 proxy on loopback for one connection, which it connects to given addresses, whatever
 * host the client asks for.
 */
export class Relay implements Disposable {
  readonly #opened = new DisposableStack();
  readonly #listener: Deno.TcpListener;
  /**
   * When the first packet was sent, in milliseconds of `performance.now()`; resolves when the
   * connection is established. Rejects with the error of {@linkcode connectFirstReachable}.
   */
  readonly started: Promise<number>;

  /** Connects to the first reachable address as soon as the client asks. */
  constructor(addresses: readonly string[], options: ReachableOptions) {
    this.#listener = this.#opened.adopt(Deno.listen({ hostname: "127.0.0.1", port: 0 }), close);
    this.started = this.#serve(addresses, options);
    // It may have no caller that waits.
    this.started.catch(() => {});
  }

  /** Where it listens. */
  get url(): string {
    return `socks5h://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Closes all connections. */
  [Symbol.dispose](): void {
    this.#opened.dispose();
  }

  async #serve(addresses: readonly string[], options: ReachableOptions): Promise<number> {
    const client = this.#keep(await this.#listener.accept());
    close(this.#listener);
    await readRequest(client);
    const { connection, startedAtMs } = await connectFirstReachable(addresses, options);
    this.#keep(connection);
    await writeAll(client, CONNECTED);
    // A response counts even if the server closes before it has read the request, so only the
    // server's end is passed on.
    copy(client, connection).catch(() => {});
    copy(connection, client).catch(() => {}).then(() => client.closeWrite()).catch(() => {});
    return startedAtMs;
  }

  #keep(connection: Deno.TcpConn): Deno.TcpConn {
    if (this.#opened.disposed) {
      close(connection);
      throw new Error("Cannot relay: the relay was closed");
    }
    // The relay must not delay small packets.
    connection.setNoDelay(true);
    return this.#opened.adopt(connection, close);
  }
}

/** Reads a client's greeting and request; the requested host does not matter. */
async function readRequest(client: Deno.TcpConn): Promise<void> {
  const [, methods = 0] = await readExactly(client, 2);
  await readExactly(client, methods);
  await writeAll(client, NO_AUTHENTICATION);
  const [, , , kind] = await readExactly(client, 4);
  const [length = 0] = kind === 1 ? [4] : kind === 4 ? [16] : await readExactly(client, 1);
  await readExactly(client, length + 2);
}

function readExactly(from: Deno.TcpConn, length: number): Promise<Uint8Array> {
  return readExact(from, { length, ended: "Cannot relay: the client closed the connection" });
}

/** Settings of an HTTP probe. */
export interface HttpProbeOptions {
  signal: AbortSignal;
  /** Resolves the host of the URL and of each redirect. */
  resolver: Pick<SystemResolver, "resolve">;
  /** Addresses of the first URL, when they were resolved before. */
  addresses?: readonly string[] | undefined;
  /** Authorities to trust beside the built-in ones, in PEM. */
  caCerts?: string[];
}

const MAX_REDIRECTS = 10;

const HEADERS = {
  "accept": "*/*",
  "user-agent": "Mozilla/5.0 (compatible; komari-agent-deno)",
  "connection": "close",
} as const;

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Milliseconds from connecting to the end of the response head, over all redirects, without name
 * resolution.
 *
 * The connection goes to the resolved address, past the proxies of the environment. No body is read
 * and no connection is kept.
 *
 * @throws {Error} When there was no response with a status of 200 to 399, or `fetch` refuses the
 * port, such as 6000.
 */
export async function probeHttp(url: URL, options: HttpProbeOptions): Promise<number> {
  let elapsedMs = 0;
  for (let target = url, redirects = 0;; redirects++) {
    const addresses = redirects === 0 ? options.addresses : undefined;
    const hop = await exchange(target, { ...options, addresses });
    elapsedMs += hop.elapsedMs;
    const { status, location } = hop;
    if (status < 200 || status > 399) {
      throw new Error(`Cannot probe ${target.host}: the status is ${status}`);
    }
    if (!REDIRECT_STATUSES.has(status) || location === undefined) return elapsedMs;
    if (redirects === MAX_REDIRECTS) {
      throw new Error(`Cannot probe ${url.host}: more than ${MAX_REDIRECTS} redirects`);
    }
    target = redirectTarget(target, location);
  }
}

function redirectTarget(from: URL, location: string): URL {
  const next = URL.parse(location, from);
  if (!next) throw new Error(`Cannot probe ${from.host}: it redirects to no URL`);
  const target = parseProbeTarget("http", next.href);
  if (target.kind !== "http") {
    throw new Error(`Cannot probe ${from.host}: it redirects to no HTTP URL`);
  }
  return target.url;
}

/** Outcome of one request. */
interface Hop {
  status: number;
  location: string | undefined;
  elapsedMs: number;
}

async function exchange(url: URL, options: HttpProbeOptions): Promise<Hop> {
  const { signal, resolver, caCerts } = options;
  const addresses = options.addresses ?? await resolver.resolve(urlHost(url), { signal });
  if (url.protocol === "https:") await warmUpCryptography();
  using relay = new Relay(addresses, { port: urlPort(url), signal });
  using client = createPinnedClient(relay.url, caCerts ? { caCerts } : {});
  try {
    const request = fetch(url, { client, signal, redirect: "manual", headers: HEADERS });
    // When the connection fails, the relay rejects first, with the reason.
    const [response, startedAtMs] = await Promise.all([request, relay.started]);
    const elapsedMs = performance.now() - startedAtMs;
    await response.body?.cancel().catch(() => {});
    const location = response.headers.get("location") ?? undefined;
    return { status: response.status, location, elapsedMs };
  } catch (error) {
    signal.throwIfAborted();
    // Without the cause: the runtime's own error quotes the URL with its query.
    throw new Error(`Cannot probe ${url.host}: ${reasonOf(error)}`);
  }
}

/**
 * Lets the runtime's cryptography gather randomness, which takes tens of milliseconds at its first
 * use and must not count for the first https target.
 */
async function warmUpCryptography(): Promise<void> {
  await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
}

/** The reason of a failure, without URLs. */
function reasonOf(error: unknown): string {
  const text = describeError(error);
  return /client error \([^)]*\): (.*)$/s.exec(text)?.[1] ??
    text.replace(/https?:\/\/\S+/g, "…");
}
