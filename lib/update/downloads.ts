import { Proxies, type ProxySettings } from "../line/proxies.ts";
import type { Proxy } from "../parse/proxy.ts";

/** How releases are reached. */
export interface DownloadOptions {
  readonly userAgent: string;
  readonly proxies: ProxySettings;
  /** PEM texts of certificates to trust beside the well-known ones. */
  readonly caCerts: readonly string[];
  /** How long nothing may arrive: 30 s. */
  readonly silenceMs?: number;
}

/** However slowly it comes, it has to come to an end. */
const TEXT_WITHIN_MS = 60_000;
const FILE_WITHIN_MS = 30 * 60_000;

/** GitHub takes one, a mirror may take two more. */
const MAX_REDIRECTS = 5;
const SILENCE_MS = 30_000;

/**
 * Gets texts and files from the servers of releases, within bounds of size and time.
 *
 * Certificates are always verified, also with `--ignore-unsafe-cert`, which is about the panel: what
 * comes from here will run.
 */
export class Downloads {
  readonly #options: DownloadOptions;
  readonly #proxies: Proxies;

  constructor(options: DownloadOptions) {
    this.#options = options;
    this.#proxies = new Proxies(options.proxies);
  }

  /**
   * A text of so many bytes at most.
   *
   * @throws {Error} When it can't be had (`Cannot get …`); the message has no query.
   */
  async text(
    url: string,
    options: { maxBytes: number; signal: AbortSignal; withinMs?: number },
  ): Promise<string> {
    const parts: Uint8Array[] = [];
    let length = 0;
    await this.#get(url, { withinMs: TEXT_WITHIN_MS, ...options }, (part) => {
      length += part.length;
      if (length > options.maxBytes) {
        throw new RangeError(`it is longer than ${options.maxBytes} bytes`);
      }
      parts.push(part);
    });
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return new TextDecoder().decode(bytes);
  }

  /**
   * Writes what is there to an open file: exactly so many bytes.
   *
   * @throws {Error} When it can't be had or written, or has another size.
   */
  async file(
    url: string,
    { file, sizeBytes, signal }: { file: Deno.FsFile; sizeBytes: number; signal: AbortSignal },
  ): Promise<void> {
    let length = 0;
    await this.#get(url, { withinMs: FILE_WITHIN_MS, signal }, async (part) => {
      length += part.length;
      if (length > sizeBytes) throw new RangeError(`it is longer than ${sizeBytes} bytes`);
      for (let at = 0; at < part.length;) at += await file.write(part.subarray(at));
    });
    if (length < sizeBytes) {
      throw new Error(`Cannot get ${plain(url)}: it ends after ${length} of ${sizeBytes} bytes`);
    }
  }

  async #get(
    url: string,
    { signal, withinMs }: { signal: AbortSignal; withinMs: number },
    use: (part: Uint8Array) => void | Promise<void>,
  ): Promise<void> {
    const silence = new Silence(this.#options.silenceMs ?? SILENCE_MS);
    const late = AbortSignal.timeout(withinMs);
    const ends = AbortSignal.any([signal, silence.signal, late]);
    try {
      await this.#follow(url, ends, async (body) => {
        for await (const part of body) {
          silence.broken();
          await use(part);
        }
      });
    } catch (cause) {
      signal.throwIfAborted();
      throw new Error(`Cannot get ${plain(url)}`, {
        cause: silence.signal.aborted
          ? silence.signal.reason
          : late.aborted
          ? new Error(`it did not end within ${withinMs / 60_000} min`)
          : cause,
      });
    } finally {
      silence.end();
    }
  }

  /** Follows redirects by itself, since the proxy depends on the host, and HTTPS must stay so. */
  async #follow(
    start: string,
    signal: AbortSignal,
    use: (body: AsyncIterable<Uint8Array>) => Promise<void>,
  ): Promise<void> {
    let url = new URL(start);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      using client = this.#client(url);
      const response = await fetch(url, {
        client,
        signal,
        redirect: "manual",
        headers: { "user-agent": this.#options.userAgent, "accept-encoding": "identity" },
      });
      const location = response.headers.get("location");
      if (response.status < 300 || response.status > 399 || location === null) {
        if (response.status === 200 && response.body) return await use(response.body);
        await response.body?.cancel();
        throw new Error(`${url.host} answered with status ${response.status}`);
      }
      await response.body?.cancel();
      const next = URL.parse(location, url);
      if (next === null || !isAllowed(next, url)) {
        throw new Error(`${url.host} sends us where we don't go, from HTTPS to something else`);
      }
      url = next;
    }
    throw new Error(`there are more than ${MAX_REDIRECTS} redirects`);
  }

  #client(url: URL): Deno.HttpClient {
    const isSecure = url.protocol === "https:";
    const port = Number(url.port) || (isSecure ? 443 : 80);
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const proxy = this.#proxies.find({ host, port }, { isSecure });
    return Deno.createHttpClient({
      caCerts: [...this.#options.caCerts],
      poolMaxIdlePerHost: 0,
      ...(proxy && { proxy: proxyOf(proxy) }),
    });
  }
}

/** A time in which something has to arrive, again and again. */
class Silence {
  readonly #ms: number;
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
    this.broken();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  broken(): void {
    clearTimeout(this.#timer);
    const reason = new Error(`nothing came for ${this.#ms / 1000} s`);
    this.#timer = setTimeout(() => this.#controller.abort(reason), this.#ms);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

function isAllowed(next: URL, from: URL): boolean {
  if (next.protocol === "https:") return true;
  return next.protocol === "http:" && from.protocol === "http:";
}

function proxyOf({ kind, host, port, login }: Proxy): Deno.Proxy {
  const place = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return {
    transport: kind === "http" ? "http" : "socks5",
    url: `${kind}://${place}`,
    ...(login && { basicAuth: { username: login.user, password: login.password } }),
  };
}

/** Without what may be secret. */
function plain(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
