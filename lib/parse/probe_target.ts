import type { ProbeKind } from "../types.ts";
import { ipFamily } from "./ip_address.ts";

/** What a probe reaches for; hosts are IP literals without brackets or names in ASCII. */
export type ProbeTarget =
  | { kind: "icmp"; host: string }
  | { kind: "tcp"; host: string; port: number }
  | { kind: "http"; url: URL };

/** The port of a TCP probe whose target names none. */
const DEFAULT_PORT = 80;

/** A name in DNS, without its final dot. */
const HOST_LIMIT = 253;

/** Beyond it proxies and servers give up as well. */
const TARGET_LIMIT = 2048;

/**
 * Reads a target as the panel's administrators write it: `1.1.1.1`, `host`, `host:443`,
 * `[2606::1]:443`, `::1`, `https://host/path`.
 *
 * A target is accepted in every form for every kind: ICMP takes the host out of it, TCP the host
 * and the port (the scheme's when a URL names none). International names come out in ASCII.
 *
 * @throws {SyntaxError} When the target is none of these forms or could be taken for an option; the
 * message quotes it without query and user.
 */
export function parseProbeTarget(kind: ProbeKind, text: string): ProbeTarget {
  if (text.length > TARGET_LIMIT) throw targetError(text, "it is too long");
  if (text === "") throw targetError(text, "it is empty");
  if (/[\s\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) {
    throw targetError(text, "it has spaces or control characters");
  }
  if (text.startsWith("-")) throw targetError(text, "it begins like an option");
  if (kind === "http") return { kind, url: parseHttpUrl(text) };
  const { host, port } = parseEndpoint(text);
  return kind === "icmp" ? { kind, host } : { kind, host, port: port ?? DEFAULT_PORT };
}

function parseEndpoint(text: string): { host: string; port?: number } {
  if (text.includes("://")) {
    const url = parseHttpUrl(text);
    return { host: urlHost(url), port: urlPort(url) };
  }
  if (ipFamily(text) !== undefined) return { host: text };
  const [, bracketed, name, digits] =
    /^(?:\[([^\]]+)\]|([^:[\]/?#@\\%]+))(?::(\d{1,5}))?$/.exec(text) ??
      [];
  let host: string;
  if (bracketed !== undefined) {
    if (ipFamily(bracketed) !== 6) throw targetError(text, "no IPv6 address is in the brackets");
    host = bracketed;
  } else if (name !== undefined) {
    host = asciiHost(name, text);
  } else {
    throw targetError(text, "it is neither a host nor a host with a port");
  }
  if (digits === undefined) return { host };
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw targetError(text, "the port is out of range");
  return { host, port };
}

function asciiHost(name: string, text: string): string {
  if (ipFamily(name) === 4) return name;
  const host = URL.parse(`http://${name}`)?.hostname ?? "";
  // A URL takes `127.1` and `0x7f000001` for addresses, which a reader of the task list does not.
  if (ipFamily(host) !== undefined) throw targetError(text, "the address is not written in full");
  return checkHostName(host, text);
}

function checkHostName(host: string, text: string): string {
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  if (name.length > HOST_LIMIT) throw targetError(text, "the host name is too long");
  if (!/^(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/.test(name)) {
    throw targetError(text, "that is no host name");
  }
  return host;
}

function parseHttpUrl(text: string): URL {
  const written = text.includes("://")
    ? text
    : ipFamily(text) === 6
    ? `http://[${text}]`
    : `http://${text}`;
  const scheme = written.slice(0, written.indexOf("://")).toLowerCase();
  if (scheme !== "http" && scheme !== "https") throw targetError(text, "the scheme is not http(s)");
  if (/^[^/]+:\/\/[^/?#\\]*@/.test(written)) throw targetError(text, "it names a user");
  const url = URL.parse(written);
  if (!url) throw targetError(text, "that is no URL");
  if (url.port === "0") throw targetError(text, "the port is out of range");
  if (!url.hostname.startsWith("[") && ipFamily(url.hostname) === undefined) {
    checkHostName(url.hostname, text);
  }
  url.hash = "";
  return url;
}

/** A URL's host as it is dialled: IPv6 without its brackets. */
export function urlHost(url: URL): string {
  return url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
}

/** A URL's port, or its scheme's when it names none. */
export function urlPort(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

function targetError(text: string, reason: string): SyntaxError {
  return new SyntaxError(`Cannot parse probe target ${quoteForLog(text)}: ${reason}`);
}

/** Fit for a log: neither query nor user, nothing that a terminal would obey. */
function quoteForLog(text: string): string {
  const [beforeQuery = ""] = text.split(/[?#]/, 1);
  const withoutUser = beforeQuery.slice(beforeQuery.lastIndexOf("@") + 1);
  const short = withoutUser.length > 80 ? `${withoutUser.slice(0, 80)}…` : withoutUser;
  return JSON.stringify(short).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
