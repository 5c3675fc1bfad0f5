import { describeError } from "../log/log.ts";
import { closeQuietly as close, copy, writeAll } from "../net/byte_stream.ts";
import type { SystemResolver } from "../net/dns.ts";
import { connectFirstReachable, type ReachableOptions } from "../net/happy_eyeballs.ts";
import { parseProbeTarget, urlHost, urlPort } from "../parse/probe_target.ts";

/** What exempts hosts from proxies. */
const EXEMPTIONS = ["NO_PROXY", "no_proxy"] as const;

/**
 * A client for `fetch` that reaches every host through `proxyUrl`, whatever proxies and exemptions
 * the environment names, by HTTP/1.1 and without keeping connections.
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
 * The runtime reads the exemptions when a client is made and has no other way to do without them.
 * They are emptied rather than deleted, for other threads read the environment at the same time.
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

/** SOCKS 5: no password is asked for. */
const WELCOME = Uint8Array.of(5, 0);

/** SOCKS 5: connected; from which address is left open. */
const CONNECTED = Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0);

/**
 * A SOCKS 5 proxy on loopback that serves one connection and leads it to addresses chosen before,
 * whatever host it asks for.
 */
export class Relay implements Disposable {
  readonly #opened = new DisposableStack();
  readonly #listener: Deno.TcpListener;
  /**
   * When the first packet to the address left, in milliseconds of `performance.now()`, told once
   * the connection stands. Rejects with the error of {@linkcode connectFirstReachable} when it does not come about.
   */
  readonly started: Promise<number>;

  /** Dials the first address that there is a way to, as soon as it is asked to connect. */
  constructor(addresses: readonly string[], options: ReachableOptions) {
    this.#listener = this.#opened.adopt(Deno.listen({ hostname: "127.0.0.1", port: 0 }), close);
    this.started = this.#serve(addresses, options);
    // Whoever waits for it is told all the same.
    this.started.catch(() => {});
  }

  /** Where it listens. */
  get url(): string {
    return `socks5h://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Ends whatever is under way and closes all connections. */
  [Symbol.dispose](): void {
    this.#opened.dispose();
  }

  async #serve(addresses: readonly string[], options: ReachableOptions): Promise<number> {
    const client = this.#keep(await this.#listener.accept());
    close(this.#listener);
    await takeRequest(client);
    const { connection, startedAtMs } = await connectFirstReachable(addresses, options);
    this.#keep(connection);
    await writeAll(client, CONNECTED);
    // What a server says before it hangs up on a request counts, so only its own end is passed on.
    copy(client, connection).catch(() => {});
    copy(connection, client).catch(() => {}).then(() => client.closeWrite()).catch(() => {});
    return startedAtMs;
  }

  #keep(connection: Deno.TcpConn): Deno.TcpConn {
    if (this.#opened.disposed) {
      close(connection);
      throw new Error("Cannot relay: nobody wants it any more");
    }
    // The relay must add no waiting of its own.
    connection.setNoDelay(true);
    return this.#opened.adopt(connection, close);
  }
}

/** Reads a client's greeting and which host it asks for, which does not matter. */
async function takeRequest(client: Deno.TcpConn): Promise<void> {
  const [, methods = 0] = await take(client, 2);
  await take(client, methods);
  await writeAll(client, WELCOME);
  const [, , , kind] = await take(client, 4);
  const [length = 0] = kind === 1 ? [4] : kind === 4 ? [16] : await take(client, 1);
  await take(client, length + 2);
}

async function take(from: Deno.TcpConn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let taken = 0; taken < length;) {
    const count = await from.read(bytes.subarray(taken));
    if (count === null) throw new Error("Cannot relay: the client hung up");
    taken += count;
  }
  return bytes;
}

/** What a probe by HTTP works with. */
export interface HttpProbeOptions {
  signal: AbortSignal;
  resolver: Pick<SystemResolver, "resolve">;
  /** Authorities to trust beside the built-in ones, in PEM. */
  caCerts?: string[];
}

const REDIRECTS_LIMIT = 10;

const HEADERS = {
  "accept": "*/*",
  "user-agent": "Mozilla/5.0 (compatible; komari-agent-deno)",
  "connection": "close",
} as const;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Milliseconds from connecting to the end of the answer's head, over all redirects, without the
 * time that names took to resolve.
 *
 * The address that was resolved is the one that is dialled, no proxy of the environment comes
 * between, no connection outlives the probe, and no body is read.
 *
 * @throws {Error} When there was no answer with a status of 200 to 399, or the port is one that
 * `fetch` does not go to, such as 6000.
 */
export async function probeHttp(url: URL, options: HttpProbeOptions): Promise<number> {
  let elapsedMs = 0;
  for (let target = url, redirects = 0;; redirects++) {
    const hop = await exchange(target, options);
    elapsedMs += hop.elapsedMs;
    const { status, location } = hop;
    if (status < 200 || status > 399) {
      throw new Error(`Cannot probe ${target.host}: the answer is ${status}`);
    }
    if (!REDIRECTS.has(status) || location === undefined) return elapsedMs;
    if (redirects === REDIRECTS_LIMIT) {
      throw new Error(`Cannot probe ${url.host}: more than ${REDIRECTS_LIMIT} redirects`);
    }
    target = redirected(target, location);
  }
}

function redirected(from: URL, location: string): URL {
  const next = URL.parse(location, from);
  if (!next) throw new Error(`Cannot probe ${from.host}: it redirects to no URL`);
  const target = parseProbeTarget("http", next.href);
  if (target.kind !== "http") throw new Error(`Cannot probe ${from.host}: it redirects elsewhere`);
  return target.url;
}

/** What matters of an answer, and how long it took. */
interface Hop {
  status: number;
  location: string | undefined;
  elapsedMs: number;
}

async function exchange(url: URL, options: HttpProbeOptions): Promise<Hop> {
  const { signal, resolver, caCerts } = options;
  const addresses = await resolver.resolve(urlHost(url), { signal });
  if (url.protocol === "https:") await rouseCryptography();
  using relay = new Relay(addresses, { port: urlPort(url), signal });
  using client = createPinnedClient(relay.url, caCerts ? { caCerts } : {});
  try {
    const request = fetch(url, { client, signal, redirect: "manual", headers: HEADERS });
    // When there is no connection, the relay knows why, and says so first.
    const [response, startedAtMs] = await Promise.all([request, relay.started]);
    const elapsedMs = performance.now() - startedAtMs;
    // What becomes of the body changes nothing any more.
    await response.body?.cancel().catch(() => {});
    const location = response.headers.get("location") ?? undefined;
    return { status: response.status, location, elapsedMs };
  } catch (error) {
    signal.throwIfAborted();
    // The runtime's own error quotes the URL with its query: its words go on, the object does not.
    throw new Error(`Cannot probe ${url.host}: ${reasonOf(error)}`);
  }
}

/**
 * The runtime's cryptography gathers randomness when it is first used. That takes tens of
 * milliseconds, which must not count for the first target by TLS.
 */
async function rouseCryptography(): Promise<void> {
  await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
}

/** What went wrong, without URLs. */
function reasonOf(error: unknown): string {
  const text = describeError(error);
  return /client error \([^)]*\): (.*)$/s.exec(text)?.[1] ??
    text.replace(/https?:\/\/\S+/g, "…");
}
