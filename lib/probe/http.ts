import { collectGarbage } from "../host/memory_release.ts";
import { BufferedReader } from "../net/buffered_reader.ts";
import { type ByteStream, closeOnAbort, ConnectionStream } from "../net/byte_stream.ts";
import { connectFirstReachable } from "./first_reachable.ts";
import { encodeRequest } from "../net/http_request.ts";
import type { ResponseHead } from "../net/http_head.ts";
import { loadNodeTls } from "../net/node_tls.ts";
import { Tls, type TrustOptions } from "../net/tls.ts";
import { parseProbeTarget, urlHost, urlPort } from "../parse/probe_target.ts";
import { writeAll } from "../io/write_all.ts";
import { withinLimit } from "./measure.ts";
import type { ProbePolicy } from "./policy.ts";

const MAX_REDIRECTS = 5;

/**
 * Requests over TLS after which garbage is collected, once none is under way: Node's library keeps
 * memory outside of the heap for each until then, which the engine does not count.
 */
const REQUESTS_PER_COLLECTION = 100;
/** The same, also while others are under way. */
const MAX_UNCOLLECTED = 400;

const HEADERS = [
  ["accept", "*/*"],
  ["user-agent", "Mozilla/5.0 (compatible; komari-agent-deno)"],
  ["connection", "close"],
] as const;

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * HTTP probes. Each request goes to the resolved address over a connection of its own, past the
 * proxies of the environment; only the head of the response is read.
 */
export class HttpProbe {
  readonly #policy: ProbePolicy;
  readonly #tls: Tls;
  #running = 0;
  #uncollected = 0;

  constructor(policy: ProbePolicy, options: TrustOptions = {}) {
    this.#policy = policy;
    // Of a server that stays silent the runtime's own would keep a socket for each probe.
    this.#tls = new Tls({ ...options, byNode: true });
  }

  /**
   * Milliseconds from connecting to the end of the response's head, over all redirects. For each of
   * them the name is resolved and checked, and the probe waits for its turn, which does not count.
   *
   * @throws {Error} When there was no response with a status of 200 to 399, or more than 5 redirects.
   * @throws {ProbeRefusedError} When the URL or a redirect leads to where no probe may go.
   * @throws {TooManyProbesError} When it would have to wait for too long.
   */
  async probe(url: URL, { signal }: { signal: AbortSignal }): Promise<number> {
    let elapsedMs = 0;
    let target = url;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const addresses = await this.#prepare(target, signal);
      const { head, tookMs } = await withinLimit(
        signal,
        (signal) => this.#request(target, { addresses, signal }),
      );
      elapsedMs += tookMs;
      const { status, headers } = head;
      if (status < 200 || status > 399) {
        throw new Error(`Cannot probe ${target.host}: the status is ${status}`);
      }
      const location = REDIRECT_STATUSES.has(status) ? headers.get("location") : undefined;
      if (!location) return elapsedMs;
      target = redirectTarget(target, location);
    }
    throw new Error(`Cannot probe ${url.host}: more than ${MAX_REDIRECTS} redirects`);
  }

  async #prepare(url: URL, signal: AbortSignal): Promise<string[]> {
    if (url.protocol === "https:") await loadNodeTls();
    return await this.#policy.admit(urlHost(url), { signal });
  }

  async #request(
    url: URL,
    { addresses, signal }: { addresses: readonly string[]; signal: AbortSignal },
  ): Promise<{ head: ResponseHead; tookMs: number }> {
    let stream: ByteStream | undefined;
    this.#running++;
    try {
      const port = urlPort(url);
      const { connection, startedAtMs } = await connectFirstReachable(addresses, { port, signal });
      stream = url.protocol === "https:"
        ? await this.#tls.start(connection, { host: urlHost(url), port, signal })
        : new ConnectionStream(connection);
      using _ = closeOnAbort(stream, signal);
      const request = encodeRequest({ method: "GET", url, headers: HEADERS });
      // A server may answer and close before it has read all of it.
      writeAll(stream, request).catch(() => {});
      const head = await new BufferedReader(stream).readHead();
      return { head, tookMs: performance.now() - startedAtMs };
    } catch (cause) {
      throw new Error(`Cannot probe ${url.host}`, { cause });
    } finally {
      stream?.close();
      this.#running--;
      if (url.protocol === "https:") this.#countUncollected();
    }
  }

  #countUncollected(): void {
    this.#uncollected++;
    const isIdle = this.#running === 0;
    if (this.#uncollected < (isIdle ? REQUESTS_PER_COLLECTION : MAX_UNCOLLECTED)) return;
    this.#uncollected = 0;
    collectGarbage();
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
