import type { Header } from "./headers.ts";
import type { Proxies } from "./proxies.ts";

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
