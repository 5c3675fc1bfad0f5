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
