import { type HttpHead, parseHttpHead } from "../parse/http_head.ts";
import { bareHost, parseProbeTarget, urlPort } from "../parse/probe_target.ts";
import type { Resolver } from "./resolve.ts";
import { openPlain, openTls } from "./wire.ts";

/** What a probe by HTTP works with. */
export interface HttpProbeOptions {
  signal: AbortSignal;
  resolver: Pick<Resolver, "resolve">;
  /** Authorities to trust instead of the built-in ones, in PEM. */
  caCerts?: string[];
}

const REDIRECTS_LIMIT = 10;

const HEAD_LIMIT_BYTES = 64 * 1024;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Milliseconds from connecting to the end of the answer's head, over all redirects, without the
 * time that names took to resolve.
 *
 * It speaks HTTP/1.1 by itself rather than by `fetch`: the address that was resolved is the one
 * that is dialled, no proxy comes between, no connection outlives the probe, and no body is read.
 *
 * @throws {Error} When there was no answer with a status of 200 to 399.
 */
export async function probeHttp(url: URL, options: HttpProbeOptions): Promise<number> {
  let elapsedMs = 0;
  for (let target = url, redirects = 0;; redirects++) {
    const hop = await exchange(target, options);
    elapsedMs += hop.elapsedMs;
    const { status, location } = hop.head;
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

async function exchange(
  url: URL,
  options: HttpProbeOptions,
): Promise<{ head: HttpHead; elapsedMs: number }> {
  const { signal, resolver, caCerts } = options;
  const hostname = bareHost(url);
  const addresses = await resolver.resolve(hostname, { signal });
  const open = url.protocol === "https:" ? openTls : openPlain;
  const wire = await open(addresses, {
    port: urlPort(url),
    signal,
    hostname,
    ...(caCerts ? { caCerts } : {}),
  });
  // Closing is what ends a read that is under way.
  signal.addEventListener("abort", wire.close, { once: true });
  try {
    signal.throwIfAborted();
    // A server that refuses may answer and close before it has read everything.
    wire.send(request(url)).catch(() => {});
    const head = await readHead(wire.received);
    return { head, elapsedMs: performance.now() - wire.startedAtMs };
  } catch (cause) {
    signal.throwIfAborted();
    throw new Error(`Cannot probe ${url.host}`, { cause });
  } finally {
    signal.removeEventListener("abort", wire.close);
    wire.close();
  }
}

function request(url: URL): string {
  return `GET ${url.pathname}${url.search} HTTP/1.1\r\n` +
    `Host: ${url.host}\r\n` +
    "User-Agent: Mozilla/5.0 (compatible; komari-agent-deno)\r\n" +
    "Accept: */*\r\n" +
    "Connection: close\r\n\r\n";
}

/** Reads up to the empty line that ends the head of the answer proper. */
async function readHead(received: AsyncIterable<Uint8Array>): Promise<HttpHead> {
  const decoder = new TextDecoder();
  const headEnd = /\r?\n\r?\n/g;
  let text = "";
  let total = 0;
  for await (const chunk of received) {
    headEnd.lastIndex = Math.max(0, text.length - 3);
    text += decoder.decode(chunk, { stream: true });
    for (let end; (end = headEnd.exec(text)) !== null;) {
      const head = parseHttpHead(text.slice(0, end.index));
      if (head.status >= 200) return head;
      // "Continue" and early hints go before the answer.
      text = text.slice(headEnd.lastIndex);
      headEnd.lastIndex = 0;
    }
    total += chunk.length;
    if (total > HEAD_LIMIT_BYTES) throw new Error("Cannot read the answer: its head has no end");
  }
  throw new Error("Cannot read the answer: it ended within its head");
}
