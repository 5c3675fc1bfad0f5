import { Proxies, type ProxySettings } from "../net/proxy.ts";
import type { Proxy } from "../parse/proxy.ts";

/** Options of {@linkcode ReleaseFetch}. */
export interface FetchOptions {
  readonly userAgent: string;
  readonly proxies: ProxySettings;
  /** Certificates in PEM to trust besides the system's. */
  readonly caCerts: readonly string[];
}

/** GitHub needs one redirect, a mirror up to two more. */
const MAX_REDIRECTS = 5;

/**
 * Requests to release servers, through a proxy where one is set.
 *
 * Certificates are always verified, even with `--ignore-unsafe-cert`, which applies to the panel:
 * the downloaded program will run here. Redirects are followed here, since the proxy depends on the
 * host, and HTTPS must not end in HTTP.
 */
export class ReleaseFetch {
  readonly #options: FetchOptions;
  readonly #proxies: Proxies;

  /** @throws {RangeError} When a proxy can't be used; the message has no password. */
  constructor(options: FetchOptions) {
    this.#options = options;
    this.#proxies = new Proxies(options.proxies);
  }

  /**
   * Passes the body of a successful answer to `use`, chunk by chunk.
   *
   * @throws {Error} When the request fails, or what `use` throws.
   */
  async get(
    start: string,
    signal: AbortSignal,
    use: (part: Uint8Array) => void | Promise<void>,
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
      if (response.status === 200 && response.body !== null) {
        for await (const part of response.body) await use(part);
        return;
      }
      await response.body?.cancel();
      url = redirectTarget(response, url);
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects`);
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

/**
 * The target of a redirect. @throws {Error} When the answer is no redirect, or the target is not
 * allowed.
 */
function redirectTarget({ status, headers }: Response, url: URL): URL {
  const location = headers.get("location");
  if (status < 300 || status > 399 || location === null) {
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

function proxyOf({ kind, host, port, login }: Proxy): Deno.Proxy {
  const place = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return {
    transport: kind === "http" ? "http" : "socks5",
    url: `${kind}://${place}`,
    ...(login && { basicAuth: { username: login.user, password: login.password } }),
  };
}

/** Aborts when nothing happens for some time. */
export class IdleTimeout {
  readonly #ms: number;
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
    this.reset();
  }

  /** Aborts after the idle time. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Restarts the timer. */
  reset(): void {
    clearTimeout(this.#timer);
    const reason = new Error(`no data for ${this.#ms / 1000} s`);
    this.#timer = setTimeout(() => this.#controller.abort(reason), this.#ms);
  }

  /** Stops the timer. */
  cancel(): void {
    clearTimeout(this.#timer);
  }
}

/** Options of {@linkcode Downloads}. */
export interface DownloadOptions extends FetchOptions {
  /** How long no data may arrive, in ms; 30 s by default. */
  readonly idleTimeoutMs?: number;
}

const IDLE_TIMEOUT_MS = 30_000;
/** Limits of a whole transfer, however slow. */
const TEXT_TIMEOUT_MS = 60_000;
const FILE_TIMEOUT_MS = 30 * 60_000;

/** Downloads texts and files from release servers, bounded in size and time. */
export class Downloads {
  readonly #fetch: ReleaseFetch;
  readonly #idleTimeoutMs: number;

  /** @throws {RangeError} When a proxy can't be used. */
  constructor(options: DownloadOptions) {
    this.#fetch = new ReleaseFetch(options);
    this.#idleTimeoutMs = options.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
  }

  /**
   * Downloads a text of at most `maxBytes`.
   *
   * @throws {Error} When it can't be downloaded (`Cannot download …`); the message has no query.
   */
  async text(
    url: string,
    options: { maxBytes: number; signal: AbortSignal; timeoutMs?: number },
  ): Promise<string> {
    const { maxBytes, signal, timeoutMs = TEXT_TIMEOUT_MS } = options;
    const decoder = new TextDecoder();
    let text = "";
    let length = 0;
    await this.#get(url, { timeoutMs, signal }, (part) => {
      length += part.length;
      if (length > maxBytes) throw new RangeError(`longer than ${maxBytes} bytes`);
      text += decoder.decode(part, { stream: true });
    });
    return text + decoder.decode();
  }

  /**
   * Downloads exactly `sizeBytes` to an open file.
   *
   * @throws {Error} When it can't be downloaded or written, or has another size.
   */
  async file(
    url: string,
    { file, sizeBytes, signal }: { file: Deno.FsFile; sizeBytes: number; signal: AbortSignal },
  ): Promise<void> {
    let length = 0;
    await this.#get(url, { timeoutMs: FILE_TIMEOUT_MS, signal }, async (part) => {
      length += part.length;
      if (length > sizeBytes) throw new RangeError(`longer than ${sizeBytes} bytes`);
      for (let at = 0; at < part.length;) at += await file.write(part.subarray(at));
    });
    if (length < sizeBytes) {
      throw new Error(
        `Cannot download ${withoutQuery(url)}: it ended after ${length} of ${sizeBytes} bytes`,
      );
    }
  }

  async #get(
    url: string,
    { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
    use: (part: Uint8Array) => void | Promise<void>,
  ): Promise<void> {
    const idleTimeout = new IdleTimeout(this.#idleTimeoutMs);
    const late = AbortSignal.timeout(timeoutMs);
    try {
      await this.#fetch.get(url, AbortSignal.any([signal, idleTimeout.signal, late]), (part) => {
        idleTimeout.reset();
        return use(part);
      });
    } catch (error) {
      signal.throwIfAborted();
      const cause = idleTimeout.signal.aborted
        ? idleTimeout.signal.reason
        : late.aborted
        ? new Error(`it took longer than ${timeoutMs / 60_000} min`)
        : error;
      throw new Error(`Cannot download ${withoutQuery(url)}`, { cause });
    } finally {
      idleTimeout.cancel();
    }
  }
}

/** A query may hold a secret. */
function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
