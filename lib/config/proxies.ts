import { UsageError } from "./usage_error.ts";
import { parseProxy } from "../parse/proxy.ts";

/** Proxies by the scheme of what is asked for, as URLs; and who is asked without one. */
export interface Proxies {
  readonly http?: string;
  readonly https?: string;
  /** Hosts by commas. */
  readonly none?: string;
}

/**
 * The proxies of the environment, by the names that other programs use; small letters win over
 * capitals, as in curl.
 *
 * @throws {UsageError} When a proxy is of a kind that is not known; the message never shows the URL.
 */
export function proxiesOf(env: Readonly<Record<string, string>>): Proxies {
  const all = find(env, "all_proxy");
  const http = find(env, "http_proxy") ?? all;
  const https = find(env, "https_proxy") ?? all;
  const none = find(env, "no_proxy");
  return {
    ...(http && { http: proxyUrl(http) }),
    ...(https && { https: proxyUrl(https) }),
    ...(none && { none: none.value }),
  };
}

interface Variable {
  readonly name: string;
  readonly value: string;
}

function find(env: Readonly<Record<string, string>>, small: string): Variable | undefined {
  for (const name of [small, small.toUpperCase()]) {
    const value = env[name]?.trim();
    if (value) return { name, value };
  }
  return undefined;
}

/** Without a scheme it is an HTTP proxy, as in curl. */
function proxyUrl({ name, value }: Variable): string {
  try {
    parseProxy(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`${error.message} (variable ${name})`);
  }
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
}
