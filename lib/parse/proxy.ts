import { addressBytes, ipFamily } from "./ip_address.ts";

/** A host, and a port of it. */
export interface HostAndPort {
  /** An IP literal without brackets, or a name. */
  readonly host: string;
  readonly port: number;
}

/** The values of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. */
export interface ProxyUrls {
  /** For `http:` and `ws:`. */
  readonly http?: string;
  /** For `https:` and `wss:`. */
  readonly https?: string;
  /** Hosts that are reached without a proxy, separated by commas. */
  readonly none?: string;
}

/** A proxy server from its URL; a name is in ASCII. */
export interface Proxy extends HostAndPort {
  /** `socks5h` resolves names at the proxy, `socks5` here. */
  readonly kind: "http" | "socks5" | "socks5h";
  /** Percent-decoded; absent for a proxy without authentication. */
  readonly login?: { readonly user: string; readonly password: string };
}

const DEFAULT_PORTS = { http: 80, socks5: 1080, socks5h: 1080 } as const;

const FORM =
  /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:([^/]*)@)?(?:\[([^\]]+)\]|([^:@/?#[\]\\]+))(?::(\d{1,5}))?\/?$/i;

/**
 * Parses a proxy URL as in `HTTP_PROXY`: `http://user:password@host:port`, `socks5://host`,
 * `host:port`.
 *
 * @throws {RangeError} When the URL is not usable; the message shows at most the scheme, because
 * the rest may contain a password.
 */
export function parseProxy(text: string): Proxy {
  const [, scheme = "http", login, literal, name, digits] = FORM.exec(text) ?? fail("is not valid");
  const kind = parseKind(scheme);
  const host = literal ?? asciiHost(name ?? "");
  if (literal !== undefined && ipFamily(literal) !== 6) fail("has no IPv6 address in brackets");
  const port = digits === undefined ? DEFAULT_PORTS[kind] : Number(digits);
  if (port < 1 || port > 65_535) fail("has a port out of range");
  const proxy = { kind, host, port };
  return login ? { ...proxy, login: parseLogin(login) } : proxy;
}

function parseKind(scheme: string): Proxy["kind"] {
  const kind = scheme.toLowerCase();
  if (kind === "http" || kind === "socks5" || kind === "socks5h") return kind;
  return fail(`has the scheme ${kind}://; supported are http://, socks5:// and socks5h://`);
}

function asciiHost(name: string): string {
  return URL.parse(`http://${name}`)?.hostname || fail("has no host");
}

function parseLogin(text: string): { user: string; password: string } {
  const colon = text.indexOf(":");
  const user = colon < 0 ? text : text.slice(0, colon);
  const password = colon < 0 ? "" : text.slice(colon + 1);
  return { user: decodePercent(user), password: decodePercent(password) };
}

/** A login as HTTP's Basic authentication sends it. */
export function basicCredentials({ user, password }: NonNullable<Proxy["login"]>): string {
  return new TextEncoder().encode(`${user}:${password}`).toBase64();
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return fail('has a "%" in user or password that starts no escape; write it as %25');
  }
}

function fail(reason: string): never {
  throw new RangeError(`Cannot use a proxy whose URL ${reason}`);
}

/**
 * Whether `NO_PROXY` exempts a target. Entries are separated by commas or spaces: `*`, a domain with
 * its subdomains (`example.com`, `.example.com`), an address or range (`10.0.0.0/8`, `fd00::/8`),
 * each with an optional port.
 *
 * Loopback is not special. Malformed entries exempt nothing.
 */
export function isExemptFromProxy(list: string, target: HostAndPort): boolean {
  const host = normalizeName(target.host);
  const address = addressBytes(host);
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === "*") return true;
    const { pattern, port } = parseEntry(entry);
    if (pattern === "" || (port !== undefined && port !== target.port)) return false;
    return address ? isInRange(address, pattern) : matchesDomain(host, normalizeName(pattern));
  });
}

function parseEntry(entry: string): { pattern: string; port?: number } {
  const [, bracketed, name, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(entry) ??
    [];
  // Anything else is an IPv6 address or range without brackets.
  const pattern = bracketed ?? name ?? entry;
  return digits === undefined ? { pattern } : { pattern, port: Number(digits) };
}

function normalizeName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

function matchesDomain(host: string, pattern: string): boolean {
  const suffix = pattern.replace(/^\./, "");
  return suffix !== "" && (host === suffix || host.endsWith(`.${suffix}`));
}

function isInRange(address: readonly number[], pattern: string): boolean {
  const [, text = "", digits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(pattern) ?? [];
  const range = addressBytes(text);
  if (range?.length !== address.length) return false;
  const bits = digits === undefined ? address.length * 8 : Number(digits);
  if (bits > address.length * 8) return false;
  return address.every((byte, index) => {
    const counted = Math.min(8, Math.max(0, bits - index * 8));
    return ((byte ^ (range[index] ?? 0)) >> (8 - counted)) === 0;
  });
}
