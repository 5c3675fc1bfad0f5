import { type ConfigSources, type Find, parseFound, readOrRefuse } from "./option_lookup.ts";
import { OPTIONS } from "./option_table.ts";
import { type Header, parseToken, type Proxies, TOKEN_RULE } from "./parsers.ts";
import { UsageError } from "./usage_error.ts";

/** A token, and where it was read. */
export interface FoundToken {
  /** Empty when there is none. */
  readonly token: string;
  /** The file that an option names, with the option's name. */
  readonly file?: { readonly option: string; readonly path: string };
}

/**
 * The token itself or the file that holds it, whichever was asked for in the stronger place; else
 * what systemd hands over.
 *
 * @throws {UsageError} When it can't be read or used, and when both stand in the same place.
 */
export function findToken(find: Find, sources: ConfigSources): FoundToken {
  const token = find(OPTIONS.token);
  const file = find(OPTIONS.tokenFile);
  if (token !== undefined && token.rank <= (file?.rank ?? token.rank)) {
    if (token.rank === file?.rank) {
      throw new UsageError(`Cannot use both ${token.origin} and ${file.origin}: give one of them`);
    }
    return { token: parseFound(OPTIONS.token, token) };
  }
  if (file !== undefined) {
    const path = parseFound(OPTIONS.tokenFile, file);
    const text = readOrRefuse(file.name, path, sources.readText);
    return { token: parseText(text, `${file.name} ${path}`), file: { option: file.name, path } };
  }
  return { token: credential(sources) };
}

/** The token that systemd hands over; it has no folder for services without credentials. */
function credential({ env, readText }: ConfigSources): string {
  const path = `${env.CREDENTIALS_DIRECTORY}/token`;
  let text: string;
  try {
    if (!env.CREDENTIALS_DIRECTORY) return "";
    text = readText(path);
  } catch {
    // The credentials may be another program's.
    return "";
  }
  return parseText(text, `the token in ${path}`);
}

function parseText(text: string, name: string): string {
  if (text.trim() === "") throw new UsageError(`Cannot use ${name}: it is empty`);
  try {
    return parseToken(text);
  } catch (cause) {
    throw new UsageError(`Cannot use ${name}: allowed is ${TOKEN_RULE}`, { cause });
  }
}

/** Hiding less than this would hide parts of ordinary words, and so tell more than it hides. */
const SHORTEST = { header: 6, password: 4 };

/** What stands before the secret in a header's value. */
const SCHEME = /^(?:Basic|Bearer|Digest|Token) /i;

/** Every text that must never be logged, in each of its spellings. */
export function secretsOf(
  config: { tokens: readonly string[]; headers: readonly Header[]; proxies: Proxies },
): readonly string[] {
  const { tokens, headers, proxies } = config;
  const values = headers.flatMap(([, value]) => [value, value.replace(SCHEME, "")]);
  const ofProxies = [proxies.http, proxies.https].flatMap((url) => url ? passwords(url) : []);
  const secrets = [
    ...tokens.filter((token) => token !== ""),
    ...values.filter(({ length }) => length >= SHORTEST.header),
    ...ofProxies.filter(({ length }) => length >= SHORTEST.password),
  ];
  return [...new Set(secrets)];
}

/** A URL's password as it stands there, and as it is meant. */
function passwords(url: string): string[] {
  const [, password] = /^[^:/]*:\/\/[^:@/]*:(.*)@/s.exec(url) ?? [];
  if (password === undefined) return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}

/** What says which panel to report to, and as which node. */
export interface NodeWords {
  readonly endpoint: string;
  readonly token: string;
  /** A node that has a key gets its token by itself. */
  readonly autoDiscoveryKey: string;
}

/**
 * `verb` is what can't be done without.
 *
 * @throws {UsageError} When it was not said which panel to report to, or as which node.
 */
export function requireNode(
  { endpoint, token, autoDiscoveryKey }: NodeWords,
  { verb }: { verb: "report" | "install" },
): void {
  if (endpoint !== "" && (token !== "" || autoDiscoveryKey !== "")) return;
  const missing = endpoint === ""
    ? "--endpoint URL"
    : "--token TOKEN, --token-file FILE or --auto-discovery KEY";
  const hint = verb === "report" ? 'see --help, or try it with "demo"' : "see --help";
  throw new UsageError(`Cannot ${verb} without ${missing}; ${hint}`);
}
