import { withTimeout } from "../async/timeout.ts";
import type { Dialer } from "../net/byte_stream.ts";
import { type DialerOptions, NetDialer } from "../net/dialer.ts";
import type { HttpResponse } from "../net/http_client.ts";
import { type ByteSink, type StreamedRequest, streamRequest } from "../net/http_stream.ts";
import { isLoopbackHost } from "../parse/ip_address.ts";
import { urlHost } from "../parse/probe_target.ts";
import { USER_AGENT } from "../version.ts";
import { writeAll } from "../io/write_all.ts";

/** How long no data may arrive. */
const IDLE_TIMEOUT_MS = 30_000;
/** Limits of a whole transfer, however slow. */
const TEXT_TIMEOUT_MS = 60_000;
const FILE_TIMEOUT_MS = 30 * 60_000;
/** GitHub needs one redirect, a mirror up to two more. */
const MAX_REDIRECTS = 5;

/**
 * Downloads texts and files from release servers, bounded in size and time.
 *
 * Plain HTTP is refused but on loopback. Certificates are always verified, even with
 * `--ignore-unsafe-cert`, which applies to the panel: the downloaded program will run here. The
 * runtime's `fetch` is not used, since it sends a proxy's password on to the server.
 */
export class Downloads {
  readonly #dialer: Dialer;

  /** @throws {RangeError} When a proxy can't be used; the message has no password. */
  constructor({ proxies, caCerts }: DialerOptions) {
    // Plain HTTP stays on this machine, where a proxy would take it elsewhere.
    this.#dialer = new NetDialer({ proxies: { ...proxies, http: undefined }, caCerts });
  }

  /**
   * Downloads a text of at most `maxBytes`.
   *
   * @throws {Error} When it can't be downloaded (`Cannot download …`); the message has no query.
   */
  async text(
    url: string,
    { maxBytes, signal }: { maxBytes: number; signal: AbortSignal },
  ): Promise<string> {
    const options = { timeoutMs: TEXT_TIMEOUT_MS, signal, limitBytes: maxBytes };
    return (await this.#get(url, options)).text;
  }

  /**
   * Downloads to an open file, at most `maxBytes`.
   *
   * @throws {Error} When it can't be downloaded or written, or is longer.
   */
  async file(
    url: string,
    { file, maxBytes, signal }: { file: Deno.FsFile; maxBytes: number; signal: AbortSignal },
  ): Promise<void> {
    const write = (bytes: Uint8Array<ArrayBuffer>) => writeAll(file, bytes);
    const sink: ByteSink = { lengthBytes: maxBytes, takesShorter: true, write };
    await this.#get(url, { timeoutMs: FILE_TIMEOUT_MS, signal, sink });
  }

  async #get(
    start: string,
    { timeoutMs, signal, ...body }: Body & { timeoutMs: number; signal: AbortSignal },
  ): Promise<HttpResponse> {
    const follow = (signal: AbortSignal) => this.#follow(start, { ...body, signal });
    try {
      return await withTimeout(follow, { timeoutMs, signal });
    } catch (cause) {
      signal.throwIfAborted();
      throw new Error(`Cannot download ${withoutQuery(start)}`, { cause });
    }
  }

  /** Redirects are followed here, since the proxy depends on the host. */
  async #follow(
    start: string,
    { signal, ...body }: Body & { signal: AbortSignal },
  ): Promise<HttpResponse> {
    let url = new URL(start);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      requireSecure(url);
      const response = await streamRequest(this.#dialer, {
        method: "GET",
        url,
        headers: [["user-agent", USER_AGENT], ["accept", "*/*"]],
        ...body,
      }, { signal, stallMs: IDLE_TIMEOUT_MS });
      if (response.status === 200) return response;
      url = redirectTarget(response, url);
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects`);
  }
}

/** Where the body goes: into a sink, or into a text of bounded length. */
type Body = Pick<StreamedRequest, "sink" | "limitBytes">;

/** @throws {Error} When anybody on the way could change the answer. */
function requireSecure(url: URL): void {
  const host = urlHost(url);
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopbackHost(host))) return;
  throw new Error(`plain HTTP to ${url.host} is refused: anybody on the way could change it`);
}

/** The target of a redirect. @throws {Error} When the answer is no redirect, or leaves HTTPS. */
function redirectTarget({ status, headers }: HttpResponse, url: URL): URL {
  const location = headers.get("location");
  if (status < 300 || status > 399 || location === undefined) {
    throw new Error(`${url.host} answered ${status}`);
  }
  const next = URL.parse(location, url);
  const isAllowed = next?.protocol === "https:" ||
    (next?.protocol === "http:" && url.protocol === "http:");
  if (next === null || !isAllowed) {
    throw new Error(`${url.host} redirects from HTTPS to another protocol`);
  }
  return next;
}

/** A query may hold a secret. */
function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
