import { urlHost } from "../parse/probe_target.ts";
import type { Places } from "./cause.ts";

/** The places of an agent that knows no service: by the layers that its options are from. */
export function placesOf(origins: ReadonlyMap<string, string>, url: URL): Places {
  const place = (keys: readonly string[], otherwise: string) => {
    const origin = keys.map((key) => origins.get(key)).find((it) => it !== undefined);
    return origin === undefined || origin.startsWith("flag ") ? otherwise : origin;
  };
  const endpoint = place(["endpoint", "panels"], "-e");
  const secure = url.protocol === "https:";
  return {
    endpoint,
    token: place(["token", "token_file", "panels"], "--token-file FILE"),
    proxy: secure ? "HTTPS_PROXY/ALL_PROXY" : "HTTP_PROXY/ALL_PROXY",
    given: (option) => option,
    write: (address) =>
      `write ${address} into ${endpoint}` +
      (secure && address.startsWith("http:")
        ? ": without TLS all on the way can read the token"
        : ""),
    withoutProxy: `NO_PROXY=${urlHost(url)}`,
  };
}
