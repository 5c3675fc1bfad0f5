import type { Probe, ProbeKind } from "../types.ts";
import { foreignWords } from "./bounded_text.ts";
import { ipFamily } from "./ip_address.ts";

/** Parsed target of a probe; hosts are IP literals without brackets or names in ASCII. */
export type ProbeTarget =
  | { kind: "icmp"; host: string }
  | { kind: "tcp"; host: string; port: number }
  | { kind: "http"; url: URL };

/** Port of a TCP probe without one. */
const DEFAULT_PORT = 80;

/** Length limit of a DNS name, without its final dot. */
const HOST_LIMIT = 253;

/** Length limit of a target; proxies and servers reject longer URLs. */
const TARGET_LIMIT = 2048;

/**
 * Parses a probe target as administrators write it in the panel: `1.1.1.1`, `host`, `host:443`,
 * `[2606::1]:443`, `::1`, `https://host/path`.
 *
 * Every form is accepted for every kind: ICMP uses the host, TCP the host and the port (by default
 * the scheme's). International names are converted to ASCII.
 *
 * @throws {SyntaxError} When the target has none of these forms or looks like an option; the
 * message quotes it without query and user.
 */
export function parseProbeTarget(kind: ProbeKind, text: string): ProbeTarget {
  if (kind === "http") return { kind, url: parseHttpUrl(checked(text)) };
  const { host, port } = parseEndpoint(text);
  return kind === "icmp" ? { kind, host } : { kind, host, port: port ?? DEFAULT_PORT };
}

/** Ports of TCP that are tried in turn where any will do. */
const USUAL_PORTS = [443, 80] as const;

/** A part of a probe, which has a result of its own. */
export interface ProbePart {
  /** The kind of its result when nothing answers. */
  readonly kind: ProbeKind;
  /** Tried in turn until one answers. */
  readonly targets: readonly ProbeTarget[];
  readonly isReference: boolean;
  /** Why it has no targets. */
  readonly refusal?: string;
}

/**
 * Parses what a panel wants to have probed.
 *
 * `auto` is TCP if the target has a port, else ICMP, else TCP to port 443, else to port 80; `dual` has a
 * result by ICMP and one by TCP. A reference is probed by the kind of the probe, or by ICMP.
 */
export function parseProbe({ kind, target, reference }: Probe): ProbePart[] {
  const parts = kind === "dual"
    ? [part("icmp", () => [parseProbeTarget("icmp", target)]), part("tcp", () => byTcp(target))]
    : kind === "auto"
    ? [part("icmp", () => byAnything(target))]
    : [part(kind, () => [parseProbeTarget(kind, target)])];
  if (reference === undefined) return parts;
  const ownKind = kind === "auto" || kind === "dual" ? "icmp" : kind;
  const second = part(ownKind, () => [parseProbeTarget(ownKind, reference)]);
  return [...parts, { ...second, isReference: true }];
}

function part(kind: ProbeKind, parse: () => ProbeTarget[]): ProbePart {
  try {
    const targets = parse();
    return { kind: targets[0]?.kind ?? kind, targets, isReference: false };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { kind, targets: [], isReference: false, refusal: error.message };
  }
}

function byTcp(text: string): ProbeTarget[] {
  const { host, port } = parseEndpoint(text);
  const ports = port === undefined ? USUAL_PORTS : [port];
  return ports.map((port) => ({ kind: "tcp", host, port }));
}

function byAnything(text: string): ProbeTarget[] {
  const { host, port } = parseEndpoint(text);
  return [...port === undefined ? [{ kind: "icmp", host } as const] : [], ...byTcp(text)];
}

function checked(text: string): string {
  if (text.length > TARGET_LIMIT) throw targetError(text, "it is too long");
  if (text === "") throw targetError(text, "it is empty");
  if (/[\s\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) {
    throw targetError(text, "it has spaces or control characters");
  }
  if (text.startsWith("-")) throw targetError(text, "it starts like an option");
  return text;
}

function parseEndpoint(written: string): { host: string; port?: number } {
  const text = checked(written);
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
    if (ipFamily(bracketed) !== 6) throw targetError(text, "the brackets contain no IPv6 address");
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
  // URL parses `127.1` and `0x7f000001` as addresses, which is not obvious in a task list.
  if (ipFamily(host) !== undefined) throw targetError(text, "the address is not written in full");
  return checkHostName(host, text);
}

function checkHostName(host: string, text: string): string {
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  if (name.length > HOST_LIMIT) throw targetError(text, "the host name is too long");
  if (!/^(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/.test(name)) {
    throw targetError(text, "it is not a host name");
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
  if (/^[^/]+:\/\/[^/?#\\]*@/.test(written)) throw targetError(text, "it contains a user name");
  const url = URL.parse(written);
  if (!url) throw targetError(text, "it is not a URL");
  // Each sign of it may take nine in the URL.
  if (url.href.length > TARGET_LIMIT) throw targetError(text, "it is too long");
  if (url.port === "0") throw targetError(text, "the port is out of range");
  if (!url.hostname.startsWith("[") && ipFamily(url.hostname) === undefined) {
    checkHostName(url.hostname, text);
  }
  url.hash = "";
  return url;
}

/** Host of a URL, IPv6 without its brackets. */
export function urlHost(url: URL): string {
  return url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname;
}

/** Port of a URL, by default the scheme's. */
export function urlPort(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

function targetError(text: string, reason: string): SyntaxError {
  return new SyntaxError(`Cannot parse probe target ${quoteForLog(text)}: ${reason}`);
}

/** Quotes a target for a log line: without query, user and control characters. */
function quoteForLog(text: string): string {
  const [beforeQuery = ""] = text.split(/[?#]/, 1);
  const withoutUser = beforeQuery.slice(beforeQuery.lastIndexOf("@") + 1);
  return JSON.stringify(foreignWords(withoutUser, 80)).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
