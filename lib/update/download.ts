import { Proxies, type ProxySettings } from "../net/proxy.ts";
import type { Proxy } from "../parse/proxy.ts";

/** How servers of releases are reached. */
export interface FetchOptions {
  readonly userAgent: string;
  readonly proxies: ProxySettings;
  /** PEM texts of certificates to trust beside the well-known ones. */
  readonly caCerts: readonly string[];
}

/** GitHub takes one, a mirror may take two more. */
const MAX_REDIRECTS = 5;

/**
 * Asks servers of releases, by the proxy that leads there.
 *
 * Certificates are always verified, also with `--ignore-unsafe-cert`, which is about the panel: what
 * comes from here will run. Redirects are followed here, since the proxy depends on the host, and
 * what began with HTTPS must not end without.
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
   * Hands the body of a good answer to `use`, part by part.
   *
   * @throws {Error} When there is no good answer, or what `use` throws.
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

/** Where an answer sends us. @throws {Error} When it sends us nowhere, or where we don't go. */
function redirectTarget({ status, headers }: Response, url: URL): URL {
  const location = headers.get("location");
  if (status < 300 || status > 399 || location === null) {
    throw new Error(`${url.host} answered with status ${status}`);
  }
  const next = URL.parse(location, url);
  const isAllowed = next?.protocol === "https:" ||
    (next?.protocol === "http:" && url.protocol === "http:");
  if (next === null || !isAllowed) {
    throw new Error(`${url.host} sends us where we don't go, from HTTPS to something else`);
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

/** A time in which something has to arrive, again and again. */
export class IdleTimeout {
  readonly #ms: number;
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
    this.reset();
  }

  /** Aborts when nothing has come for so long. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something has come. */
  reset(): void {
    clearTimeout(this.#timer);
    const reason = new Error(`nothing came for ${this.#ms / 1000} s`);
    this.#timer = setTimeout(() => this.#controller.abort(reason), this.#ms);
  }

  /** Nothing has to come any more. */
  end(): void {
    clearTimeout(this.#timer);
  }
}

/** How releases are reached. */
export interface DownloadOptions extends FetchOptions {
  /** How long nothing may arrive: 30 s. */
  readonly idleTimeoutMs?: number;
}

const IDLE_TIMEOUT_MS = 30_000;
/** However slowly it comes, it has to come to an end. */
const TEXT_TIMEOUT_MS = 60_000;
const FILE_TIMEOUT_MS = 30 * 60_000;

/** Gets texts and files from the servers of releases, within bounds of size and time. */
export class Downloads {
  readonly #fetch: ReleaseFetch;
  readonly #idleTimeoutMs: number;

  /** @throws {RangeError} When a proxy can't be used. */
  constructor(options: DownloadOptions) {
    this.#fetch = new ReleaseFetch(options);
    this.#idleTimeoutMs = options.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
  }

  /**
   * A text of so many bytes at most.
   *
   * @throws {Error} When it can't be had (`Cannot get …`); the message has no query.
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
      if (length > maxBytes) throw new RangeError(`it is longer than ${maxBytes} bytes`);
      text += decoder.decode(part, { stream: true });
    });
    return text + decoder.decode();
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
    await this.#get(url, { timeoutMs: FILE_TIMEOUT_MS, signal }, async (part) => {
      length += part.length;
      if (length > sizeBytes) throw new RangeError(`it is longer than ${sizeBytes} bytes`);
      for (let at = 0; at < part.length;) at += await file.write(part.subarray(at));
    });
    if (length < sizeBytes) {
      throw new Error(
        `Cannot get ${withoutQuery(url)}: it ends after ${length} of ${sizeBytes} bytes`,
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
        ? new Error(`it did not end within ${timeoutMs / 60_000} min`)
        : error;
      throw new Error(`Cannot get ${withoutQuery(url)}`, { cause });
    } finally {
      idleTimeout.end();
    }
  }
}

/** Without what may be secret. */
function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
