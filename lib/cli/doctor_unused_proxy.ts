/**
 * Looks, for `doctor`, whether a panel that can't be connected to is reached by a proxy that is not used
 * for it.
 *
 * @module
 */

import { attemptWithin } from "../async/timeout.ts";
import { urlHost } from "../parse/probe_target.ts";
import { isExemptFromProxy } from "../parse/proxy.ts";
import { type CheckResult, failed } from "./checks.ts";
import { given } from "./doctor_options.ts";
import { portOf, type Way, wayTo } from "./doctor_way.ts";

/** For the connection through the proxy; a link that has failed has taken its time. */
const PROXY_MS = 3_000;

/** A link that has failed, by the proxy where the panel is reached through one that is set, and not for it. */
export async function withUnusedProxy(
  way: Way,
  link: Promise<CheckResult>,
  signal: AbortSignal,
): Promise<CheckResult> {
  const found = await link;
  const { url, config: { proxies } } = way;
  const isSecure = url.protocol === "https:";
  const [own, other] = isSecure ? [proxies.https, proxies.http] : [proxies.http, proxies.https];
  const proxy = own ?? other;
  if (found.status !== "failed" || way.proxy !== undefined || proxy === undefined) return found;
  const config = { ...way.config, proxies: { http: proxy, https: proxy } };
  const host = urlHost(url);
  const tunnel = new URL(`https://${url.hostname}:${portOf(url)}`);
  const { dialer } = wayTo(config, way.unit);
  const connect = (signal: AbortSignal) => dialer.connect(tunnel, { signal });
  const connected = await attemptWithin(connect, { timeoutMs: PROXY_MS, signal });
  if (connected === undefined) return found;
  connected.connection.close();
  const [name, theirs] = isSecure ? ["HTTPS_PROXY", "HTTP_PROXY"] : ["HTTP_PROXY", "HTTPS_PROXY"];
  if (own === undefined) {
    return failed(
      `${found.text}; through the proxy of ${theirs} it connects, which is not for ${url.protocol}//`,
      `name that proxy in ${name}, too: ${given(way, `${name}=http://HOST:PORT`)}`,
    );
  }
  const rest = (proxies.none ?? "").split(/[\s,]+/)
    .filter((entry) => !isExemptFromProxy(entry, { host, port: portOf(url) }));
  return failed(
    `${found.text}; through the proxy of ${name} it connects, which NO_PROXY leaves out for it`,
    `take ${host} out of NO_PROXY: ${given(way, `NO_PROXY=${rest.join(",")}`)}`,
  );
}
