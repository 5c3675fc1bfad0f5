import { Proxies, type ProxySettings } from "../line/proxies.ts";
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
      url = nextOf(response, url);
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
function nextOf({ status, headers }: Response, url: URL): URL {
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
