import { assertEquals } from "@std/assert";
import {
  connectErrorMessage,
  lookupErrorMessage,
  tlsErrorMessage,
} from "../../lib/net/error_messages.ts";

/** An error of the runtime's, below another one. */
function failure(message: string, code?: string): Error {
  const cause = Object.assign(new Error(message), code === undefined ? {} : { code });
  return new Error("outer", { cause });
}

Deno.test("connectErrorMessage() says in words what the system's code means", () => {
  const table: [code: string, words: string][] = [
    ["ECONNREFUSED", "connection refused"],
    ["ECONNRESET", "connection reset"],
    ["ENETUNREACH", "network is unreachable"],
    ["EHOSTUNREACH", "host is unreachable"],
    ["EADDRNOTAVAIL", "this machine has no address of that family, or no free port"],
    ["EAFNOSUPPORT", "this machine has no address of that family"],
    ["ETIMEDOUT", "no answer"],
    ["EINVAL", "a route of this machine leads nowhere"],
    ["EACCES", "it is prohibited, here or on the way"],
    ["EPERM", "this machine does not let it through"],
    ["EMFILE", "this process has too many files open"],
  ];
  for (const [code, words] of table) assertEquals(connectErrorMessage(failure("x", code)), words);
});

Deno.test("connectErrorMessage() leaves other messages as they are, but for the system's number", () => {
  assertEquals(connectErrorMessage(failure("odd (os error 5)", "EIO")), "odd");
  assertEquals(connectErrorMessage(failure("(os error 5) odd")), "(os error 5) odd");
  assertEquals(connectErrorMessage("a text"), "a text");
});

Deno.test("lookupErrorMessage() tells a name that there is not from a server that is mute", () => {
  const none = "no such name";
  const mute = "the name server does not answer";
  const table: [message: string, code: string | undefined, words: string][] = [
    ["getaddrinfo", "ENOTFOUND", none],
    ["Name or service not known", undefined, none],
    ["the name does not resolve", undefined, none],
    ["it has no address", undefined, none],
    ["no records found", undefined, none],
    ["nodename nor servname provided", undefined, none],
    ["getaddrinfo", "EAI_AGAIN", mute],
    ["Temporary failure in name resolution", undefined, mute],
    ["Try again", undefined, mute],
    ["odd (os error 5)", undefined, "odd"],
  ];
  for (const [message, code, words] of table) {
    assertEquals(lookupErrorMessage(failure(message, code)), words, message);
  }
});

Deno.test("tlsErrorMessage() says why a certificate is not trusted", () => {
  const server = { host: "panel.test", port: 443 };
  const clock = "or this machine's clock is wrong";
  const table: [message: string, words: string][] = [
    ["UnknownIssuer", "its issuer is unknown to this machine"],
    ["Other(CaUsedAsEndEntity)", "it is self-signed"],
    ["NotValidForName", "it is for another name"],
    ["not valid for name panel.test", "it is for another name"],
    ["not valid for any name", "it is for another name"],
    ["Expired", `it has expired, ${clock}`],
    ["certificate expired: verification time 1", `it has expired, ${clock}`],
    ["NotValidYet", `it is not valid yet, ${clock}`],
    ["certificate not valid yet", `it is not valid yet, ${clock}`],
    ["Revoked", "it was revoked"],
    ["InvalidPurpose", "its purposes leave out that of a server"],
    ["NameConstraintViolation", "its authority may not make certificates for that name"],
    ["odd", "it is malformed, or of a kind that is not supported (invalid peer certificate: odd)"],
  ];
  for (const [message, words] of table) {
    assertEquals(
      tlsErrorMessage(failure(`invalid peer certificate: ${message}`), server),
      `Cannot trust the certificate of panel.test: ${words}`,
    );
  }
});

Deno.test("tlsErrorMessage() takes an end of the connection, however the libraries call it, for one", () => {
  const server = { host: "panel.test", port: 443 };
  const ends = [
    "unexpected end of file",
    "tls handshake eof",
    "Connection reset by peer (os error 104)",
    "Client network socket disconnected",
    "Broken pipe",
  ];
  const start = "Cannot start TLS with panel.test port 443: ";
  for (const message of ends) {
    assertEquals(
      tlsErrorMessage(failure(message), server),
      `${start}the server closed the connection`,
    );
  }
  assertEquals(tlsErrorMessage(failure("odd (os error 5)"), server), `${start}odd`);
});

Deno.test("tlsErrorMessage() says in words what ends a handshake", () => {
  const server = { host: "panel.test", port: 443 };
  const table: [message: string, words: string][] = [
    ["received fatal alert: UnrecognisedName", "the server has no site of that name"],
    ["received fatal alert: CertificateRequired", "the server wants a certificate of its clients"],
    [
      "received fatal alert: HandshakeFailure",
      "the server and this agent have no cipher in common",
    ],
    [
      "peer is incompatible: NoCipherSuitesInCommon",
      "the server and this agent have no cipher in common",
    ],
    ["received fatal alert: InternalError", "the server itself has failed"],
    ["received fatal alert: AccessDenied", "the server refuses this machine"],
    ["received corrupt message of type Handshake", "what came is no valid TLS"],
    ["peer misbehaved: IllegalMiddleboxChangeCipherSpec", "what came is no valid TLS"],
  ];
  for (const [message, words] of table) {
    assertEquals(
      tlsErrorMessage(failure(message), server),
      `Cannot start TLS with panel.test port 443: ${words}`,
    );
  }
});

Deno.test("tlsErrorMessage() knows the words of both libraries for a server that is not trusted", () => {
  const server = { host: "panel.test", port: 443 };
  const table: [message: string, code: string | undefined, words: string][] = [
    ["self-signed certificate", "DEPTH_ZERO_SELF_SIGNED_CERT", "it is self-signed"],
    ["self-signed certificate in certificate chain", undefined, "it is self-signed"],
    [
      "Hostname/IP does not match certificate's altnames: Host: panel.test.",
      "ERR_TLS_CERT_ALTNAME_INVALID",
      "it is for another name",
    ],
    [
      "unable to verify the first certificate",
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "its issuer is unknown to this machine, or it is not valid at this time",
    ],
  ];
  for (const [message, code, words] of table) {
    assertEquals(
      tlsErrorMessage(failure(message, code), server),
      `Cannot trust the certificate of panel.test: ${words}`,
    );
  }
  const plain = "Cannot connect to panel.test port 443: it does not speak TLS; " +
    "is it an http:// address?";
  const errors = [
    failure("received corrupt message of type InvalidContentType"),
    failure("write EPROTO: wrong version number"),
    failure("write EPROTO", "ERR_SSL_WRONG_VERSION_NUMBER"),
  ];
  for (const error of errors) assertEquals(tlsErrorMessage(error, server), plain);
});
