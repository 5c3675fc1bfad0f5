import { attempt } from "../attempt.ts";
import { basicCredentials, type ProxyUrls } from "../parse/proxy.ts";
import { readOptionFile, type ReadText } from "./config_file.ts";
import { OPTIONS, type ResolvedOptions } from "./option_table.ts";
import { type Header, parseToken } from "./parsers.ts";
import { UsageError } from "./usage_error.ts";

/** Where a token may be beside the options. */
interface TokenInput {
  readonly env: Readonly<Record<string, string>>;
  readonly readText: ReadText;
}

/** A token, and the file that it is from. */
export interface FoundToken {
  /** Empty if there is none. */
  readonly token: string;
  /** The file that an option names, with the option's name. */
  readonly file?: { readonly option: string; readonly path: string };
}

/**
 * The token itself or the file that holds it, whichever is in the stronger layer; else systemd's
 * credential.
 *
 * @throws {UsageError} When it can't be read or used, and when both are set in the same layer.
 */
export function findToken({ found, values }: ResolvedOptions, input: TokenInput): FoundToken {
  const token = found.get(OPTIONS.token);
  const file = found.get(OPTIONS.tokenFile);
  if (token !== undefined && token.rank <= (file?.rank ?? token.rank)) {
    if (token.rank === file?.rank) {
      throw new UsageError(`Cannot use both ${token.origin} and ${file.origin}: give one of them`);
    }
    return { token: values.token };
  }
  if (file !== undefined) {
    const path = values.tokenFile;
    const text = readOptionFile(file.name, path, input.readText);
    return {
      token: parseTokenText(text, `${file.name} ${path}`),
      file: { option: file.name, path },
    };
  }
  return { token: systemdCredential(input) };
}

/** The credential `token` of systemd, whose folder only exists for services with credentials. */
function systemdCredential({ env, readText }: TokenInput): string {
  if (!env.CREDENTIALS_DIRECTORY) return "";
  const path = `${env.CREDENTIALS_DIRECTORY}/token`;
  // The credentials may be another program's.
  const text = attempt(() => readText(path));
  return text === undefined ? "" : parseTokenText(text, `the token in ${path}`);
}

function parseTokenText(text: string, name: string): string {
  if (text.trim() === "") throw new UsageError(`Cannot use ${name}: it is empty`);
  try {
    return parseToken(text);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError(`Cannot use ${name}: expected ${cause.message}`, { cause });
  }
}

/** Hiding shorter texts would hide parts of ordinary words, and so reveal more than it hides. */
const MIN_LENGTH = { header: 6, password: 4 };

/** Text before the secret in a header's value. */
const SCHEME = /^(?:Basic|Bearer|Digest|Token) /i;

/** Every text that must never be logged, in each of its spellings. */
export function secretsOf(
  config: { tokens: readonly string[]; headers: readonly Header[]; proxies: ProxyUrls },
): readonly string[] {
  const { tokens, headers, proxies } = config;
  const values = headers.flatMap(([, value]) => [value, value.replace(SCHEME, "")]);
  const ofProxies = [proxies.http, proxies.https].flatMap((url) => url ? passwords(url) : []);
  const secrets = [
    ...tokens.filter((token) => token !== ""),
    ...values.filter(({ length }) => length >= MIN_LENGTH.header),
    ...ofProxies.filter(({ length }) => length >= MIN_LENGTH.password),
  ];
  return [...new Set(secrets)];
}

/** A URL's password, as written, decoded, and with its user as an HTTP proxy gets them. */
function passwords(url: string): string[] {
  const [login, user = "", password = ""] = /^[^:/]*:\/\/([^:/]*)(?::(.*))?@/s.exec(url) ?? [];
  if (login === undefined) return [];
  const decoded = (text: string) => attempt(() => decodeURIComponent(text)) ?? text;
  const sent = basicCredentials({ user: decoded(user), password: decoded(password) });
  return [password, decoded(password), sent];
}

/** Names a panel, and identifies a node to it. */
export interface Credentials {
  readonly endpoint: string;
  readonly token: string;
  /** With a key, a node registers itself and gets a token. */
  readonly autoDiscoveryKey: string;
}

/**
 * Requires a panel, and a token or a key; `verb` is the action that needs them.
 *
 * @throws {UsageError} When one is missing.
 */
export function requireCredentials(
  { endpoint, token, autoDiscoveryKey }: Credentials,
  { verb }: { verb: "report" | "install" },
): void {
  if (endpoint !== "" && (token !== "" || autoDiscoveryKey !== "")) return;
  const missing = endpoint === ""
    ? "--endpoint URL"
    : "--token TOKEN, --token-file FILE or --auto-discovery KEY";
  const help = verb === "report" ? 'see --help, or try it with "demo"' : "see --help";
  throw new UsageError(`Cannot ${verb} without ${missing}; ${help}`);
}
