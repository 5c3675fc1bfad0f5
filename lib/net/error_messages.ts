/**
 * Readable messages for connection errors of the runtime and its libraries.
 *
 * @module
 */

import { errorCode } from "../attempt.ts";

const CONNECT_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ENETUNREACH: "network is unreachable",
  EHOSTUNREACH: "host is unreachable",
  EADDRNOTAVAIL: "this machine has no address of that family, or no free port",
  EAFNOSUPPORT: "this machine has no address of that family",
  ETIMEDOUT: "no answer",
  ENETDOWN: "the network interface is down",
  EHOSTDOWN: "host is down",
  EACCES: "it is prohibited, here or on the way",
  EPERM: "this machine does not let it through",
  // So the kernel calls a route that throws everything away.
  EINVAL: "a route of this machine leads nowhere",
};

const LOOKUP_WORDS: readonly (readonly [RegExp, string])[] = [
  [/: it has no address$/, "no address that this machine can use"],
  [/ENOTFOUND|not known|does not resolve|no address|no records|nodename/i, "no such name"],
  [
    /EAI_AGAIN|temporary failure|try again|timed out|proto error/i,
    "the name server does not answer",
  ],
];

const CERTIFICATE_WORDS: readonly (readonly [RegExp, string])[] = [
  [/UnknownIssuer/, "its issuer is unknown to this machine"],
  [/CaUsedAsEndEntity|self-signed certificate/, "it is self-signed"],
  [/not valid for (any )?name|NotValidForName|altnames/, "it is for another name"],
  [/expired/i, "it has expired, or this machine's clock is wrong"],
  [/not valid yet|NotValidYet/i, "it is not valid yet, or this machine's clock is wrong"],
  [/UnsupportedCertVersion/, "it is of X.509 version 1, which no client accepts"],
  // Node's library does not say which.
  [/verify the first/, "its issuer is unknown to this machine, or it is not valid at this time"],
];

/** How the libraries say that they don't trust a certificate. */
const UNTRUSTED = /invalid peer certificate|altnames|self-signed certificate|verify the first/;

/** What a server, or the library itself, says to end a handshake (RFC 8446, 6.2). */
const HANDSHAKE_WORDS: readonly (readonly [RegExp, string])[] = [
  [/Unrecogni[sz]edName|unrecognized.name/i, "the server has no site of that name"],
  // As Caddy answers.
  [/InternalError|internal.error/i, "the server has failed, as for a name without a certificate"],
  [/CertificateRequired|certificate.required/i, "the server requires a client certificate"],
  [
    /HandshakeFailure|handshake failure|InsufficientSecurity|peer is incompatible|no ciphers?uites/i,
    "the server and this agent have no cipher in common",
  ],
  [/NoApplicationProtocol|no.application.protocol/i, "the server speaks no HTTP/1.1 there"],
  [
    /corrupt message|unexpected (?:handshake )?message|misbehaved|decrypt/i,
    "the answer is not valid TLS",
  ],
  [/end of file|eof|reset by peer|disconnected|broken pipe/i, "the server closed the connection"],
];

/** Describes why a name could not be resolved. */
export function lookupErrorMessage(error: unknown): string {
  const { message, code } = rootOf(error);
  if (/^\/etc\/resolv\.conf |^the (?:configured )?name server /.test(message)) {
    return message;
  }
  const known = LOOKUP_WORDS.find(([pattern]) => pattern.test(`${code} ${message}`));
  return known?.[1] ?? plain(message);
}

/** Describes why a connection could not be opened. */
export function connectErrorMessage(error: unknown): string {
  const { message, code } = rootOf(error);
  return CONNECT_WORDS[code] ?? plain(message);
}

/**
 * Describes why a TLS handshake failed, as a whole message.
 *
 * @param server The host as it was requested.
 */
export function tlsErrorMessage(error: unknown, server: { host: string; port: number }): string {
  const { message, code } = rootOf(error);
  const { host, port } = server;
  if (/InvalidContentType|wrong.version.number/i.test(`${code} ${message}`)) {
    return `Cannot connect to ${host} port ${port}: it does not speak TLS; is it an http:// address?`;
  }
  if (UNTRUSTED.test(message)) {
    const known = CERTIFICATE_WORDS.find(([pattern]) => pattern.test(message));
    const words = known?.[1] ?? `it is malformed, or of a kind that is not supported (${message})`;
    return `Cannot trust the certificate of ${host}: ${words}`;
  }
  if (/ProtocolVersion|protocol version/i.test(message)) {
    return `Cannot start TLS with ${host} port ${port}: it has no TLS 1.2 or 1.3`;
  }
  const known = HANDSHAKE_WORDS.find(([pattern]) => pattern.test(message));
  return `Cannot start TLS with ${host} port ${port}: ${known?.[1] ?? plain(message)}`;
}

function rootOf(error: unknown): { message: string; code: string } {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  if (!(root instanceof Error)) return { message: String(root), code: "" };
  return { message: root.message, code: errorCode(root) };
}

function plain(message: string): string {
  return message.replace(/ \(os error \d+\)$/, "");
}
