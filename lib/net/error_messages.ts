/**
 * Few words for what the runtime and its libraries say when a line does not come about.
 *
 * @module
 */

const CONNECT_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ENETUNREACH: "this machine has no way to its network",
  EHOSTUNREACH: "no way to the host",
  EADDRNOTAVAIL: "this machine has no address of that family",
  EAFNOSUPPORT: "this machine has no address of that family",
  ETIMEDOUT: "no answer",
};

const LOOKUP_WORDS: readonly (readonly [RegExp, string])[] = [
  [/ENOTFOUND|not known|does not resolve|no address|no records|nodename/i, "no such name"],
  [/EAI_AGAIN|temporary failure|try again/i, "the name server does not answer"],
];

const CERTIFICATE_WORDS: readonly (readonly [RegExp, string])[] = [
  [/UnknownIssuer/, "it is of no authority that this machine knows"],
  [/CaUsedAsEndEntity/, "it has signed itself"],
  [/not valid for (any )?name|NotValidForName/, "it is for other names"],
  [/expired/i, "it has expired, or this machine's clock is wrong"],
  [/not valid yet|NotValidYet/i, "it is not valid yet, or this machine's clock is wrong"],
  [/revoked/i, "it was revoked"],
];

/** Why a name has no address. */
export function lookupErrorMessage(error: unknown): string {
  const { message, code } = rootOf(error);
  const known = LOOKUP_WORDS.find(([pattern]) => pattern.test(`${code} ${message}`));
  return known?.[1] ?? plain(message);
}

/** Whether `Deno.connect` failed for want of an address for a name. */
export function isLookupError(error: unknown): boolean {
  return rootOf(error).message.startsWith("failed to lookup address information");
}

/** Why there is no connection. */
export function connectErrorMessage(error: unknown): string {
  const { message, code } = rootOf(error);
  return CONNECT_WORDS[code] ?? plain(message);
}

/**
 * What to tell about a TLS handshake that failed.
 *
 * @param server The host, as it was asked for.
 */
export function tlsErrorMessage(error: unknown, server: { host: string; port: number }): string {
  const { message, code } = rootOf(error);
  const { host, port } = server;
  if (/InvalidContentType|wrong.version.number/i.test(`${code} ${message}`)) {
    return `${host} port ${port} does not speak TLS; is it an http:// address?`;
  }
  if (/invalid peer certificate/.test(message)) {
    const known = CERTIFICATE_WORDS.find(([pattern]) => pattern.test(message));
    return `Cannot trust the certificate of ${host}: ${known?.[1] ?? plain(message)}`;
  }
  const words = /end of file|eof|reset by peer|disconnected|broken pipe/i.test(message)
    ? "the other side hung up"
    : plain(message);
  return `Cannot speak TLS with ${host} port ${port}: ${words}`;
}

function rootOf(error: unknown): { message: string; code: string } {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  if (!(root instanceof Error)) return { message: String(root), code: "" };
  const code = "code" in root && typeof root.code === "string" ? root.code : "";
  return { message: root.message, code };
}

function plain(message: string): string {
  return message.replace(/ \(os error \d+\)$/, "");
}
