import { describeError } from "../log.ts";
import type { Resolver } from "../line/resolve.ts";
import { bareHost, parseProbeTarget, urlPort } from "../parse/probe_target.ts";
import { createPinnedClient } from "./pinned_client.ts";
import { Relay } from "./relay.ts";

/** What a probe by HTTP works with. */
export interface HttpProbeOptions {
  signal: AbortSignal;
  resolver: Pick<Resolver, "resolve">;
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
  const addresses = await resolver.resolve(bareHost(url), { signal });
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
