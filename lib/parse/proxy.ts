import { ipFamily } from "./ip_address.ts";

/** A proxy as its URL describes it. */
export interface Proxy {
  /** `socks5h` looks names up itself, for `socks5` that is done here. */
  readonly kind: "http" | "socks5" | "socks5h";
  /** An IP literal without brackets, or a name in ASCII. */
  readonly host: string;
  readonly port: number;
  /** Without percent signs; absent when the proxy is not told who asks. */
  readonly login?: { readonly user: string; readonly password: string };
}

const DEFAULT_PORTS = { http: 80, socks5: 1080, socks5h: 1080 } as const;

const FORM =
  /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:([^/]*)@)?(?:\[([^\]]+)\]|([^:@/?#[\]\\]+))(?::(\d{1,5}))?\/?$/i;

/**
 * Reads a proxy as `HTTP_PROXY` and its like name it: `http://user:password@host:port`,
 * `socks5://host`, `host:port`.
 *
 * @throws {RangeError} When it is none that can be used; the message shows at most the scheme, since
 * the rest may hold a password.
 */
export function parseProxy(text: string): Proxy {
  const [, scheme = "http", login, literal, name, digits] = FORM.exec(text) ?? refuse("is no URL");
  const kind = kindOf(scheme);
  const host = literal ?? asciiHost(name ?? "");
  if (literal !== undefined && ipFamily(literal) !== 6) refuse("has no IPv6 address in brackets");
  const port = digits === undefined ? DEFAULT_PORTS[kind] : Number(digits);
  if (port < 1 || port > 65_535) refuse("has a port out of range");
  return { kind, host, port, ...(login ? { login: parseLogin(login) } : {}) };
}

function kindOf(scheme: string): Proxy["kind"] {
  const kind = scheme.toLowerCase();
  if (kind === "http" || kind === "socks5" || kind === "socks5h") return kind;
  return refuse(`is of kind ${kind}://; known are http://, socks5:// and socks5h://`);
}

function asciiHost(name: string): string {
  return URL.parse(`http://${name}`)?.hostname || refuse("names no host");
}

function parseLogin(text: string): { user: string; password: string } {
  const colon = text.indexOf(":");
  const user = colon < 0 ? text : text.slice(0, colon);
  const password = colon < 0 ? "" : text.slice(colon + 1);
  return { user: unescaped(user), password: unescaped(password) };
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse('has a "%" in user or password that is no escape; write it as %25');
  }
}

function refuse(reason: string): never {
  throw new RangeError(`Cannot use a proxy whose URL ${reason}`);
}
