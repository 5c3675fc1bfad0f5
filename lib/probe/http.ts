import { type HttpHead, parseHttpHead } from "../parse/http_head.ts";
import { bareHost, parseProbeTarget, urlPort } from "../parse/probe_target.ts";
import type { Resolver } from "./resolve.ts";
import { dial } from "./tcp.ts";

/** What a probe by HTTP works with. */
export interface HttpProbeOptions {
  signal: AbortSignal;
  resolver: Pick<Resolver, "resolve">;
  /** Authorities to trust beside the built-in ones, in PEM. */
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
  const { signal, resolver, caCerts = [] } = options;
  const hostname = bareHost(url);
  const addresses = await resolver.resolve(hostname, { signal });
  const { connection, startedAtMs } = await dial(addresses, { port: urlPort(url), signal });
  let open: Deno.Conn = connection;
  // Closing is what ends a read, a write and a handshake that are under way.
  const close = () => {
    try {
      open.close();
    } catch {
      // It has closed itself.
    }
  };
  signal.addEventListener("abort", close, { once: true });
  try {
    signal.throwIfAborted();
    if (url.protocol === "https:") {
      const secure = await Deno.startTls(connection, {
        // A name's final dot belongs to DNS; certificates have none.
        hostname: hostname.replace(/\.$/, ""),
        caCerts,
        alpnProtocols: ["http/1.1"],
      });
      open = secure;
      signal.throwIfAborted();
      await secure.handshake();
    }
    await writeAll(open, request(url));
    const head = await readHead(open);
    return { head, elapsedMs: performance.now() - startedAtMs };
  } catch (cause) {
    signal.throwIfAborted();
    throw new Error(`Cannot probe ${url.host}`, { cause });
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

function request(url: URL): Uint8Array {
  return new TextEncoder().encode(
    `GET ${url.pathname}${url.search} HTTP/1.1\r\n` +
      `Host: ${url.host}\r\n` +
      "User-Agent: Mozilla/5.0 (compatible; komari-agent-deno)\r\n" +
      "Accept: */*\r\n" +
      "Connection: close\r\n\r\n",
  );
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** Reads up to the empty line that ends the head of the answer proper. */
async function readHead(connection: Deno.Conn): Promise<HttpHead> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  const headEnd = /\r?\n\r?\n/g;
  let text = "";
  for (let total = 0; total < HEAD_LIMIT_BYTES;) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error("Cannot read the answer: it ended within its head");
    total += count;
    headEnd.lastIndex = Math.max(0, text.length - 3);
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
    for (let end; (end = headEnd.exec(text)) !== null;) {
      const head = parseHttpHead(text.slice(0, end.index));
      if (head.status >= 200) return head;
      // "Continue" and early hints go before the answer.
      text = text.slice(headEnd.lastIndex);
      headEnd.lastIndex = 0;
    }
  }
  throw new Error("Cannot read the answer: its head has no end");
}
