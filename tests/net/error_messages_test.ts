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

const SERVER = { host: "panel.test", port: 443 };
const CLOCK = "or this machine's clock is wrong";

/** An error of the runtime's library about a certificate. */
function invalid(why: string): Error {
  return failure(`invalid peer certificate: ${why}`);
}

/** What is said of errors of both libraries. */
const TLS_ERRORS: Readonly<Record<string, Readonly<Record<string, readonly Error[]>>>> = {
  "Cannot trust the certificate of panel.test: ": {
    "its issuer is unknown to this machine": [invalid("UnknownIssuer")],
    "its issuer is unknown to this machine, or it is not valid at this time": [
      failure("unable to verify the first certificate", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
    ],
    "it is self-signed": [
      invalid("Other(CaUsedAsEndEntity)"),
      failure("self-signed certificate", "DEPTH_ZERO_SELF_SIGNED_CERT"),
      failure("self-signed certificate in certificate chain"),
    ],
    "it is for another name": [
      invalid("NotValidForName"),
      invalid("not valid for name panel.test"),
      invalid("not valid for any name"),
      failure(
        "Hostname/IP does not match certificate's altnames: Host: x",
        "ERR_TLS_CERT_ALTNAME_INVALID",
      ),
    ],
    [`it has expired, ${CLOCK}`]: [
      invalid("Expired"),
      invalid("certificate expired: verification time 1"),
    ],
    [`it is not valid yet, ${CLOCK}`]: [
      invalid("NotValidYet"),
      invalid("certificate not valid yet"),
    ],
    "it was revoked": [invalid("Revoked")],
    "its purposes don't include that of a server": [invalid("InvalidPurpose")],
    "its issuer may not issue certificates for that name": [invalid("NameConstraintViolation")],
    "it is malformed, or of a kind that is not supported (invalid peer certificate: odd)": [
      invalid("odd"),
    ],
  },
  "Cannot start TLS with panel.test port 443: ": {
    "the server closed the connection": [
      failure("unexpected end of file"),
      failure("tls handshake eof"),
      failure("Connection reset by peer (os error 104)"),
      failure("Client network socket disconnected"),
      failure("Broken pipe"),
    ],
    "the server has no site of that name": [failure("received fatal alert: UnrecognisedName")],
    "the server requires a client certificate": [
      failure("received fatal alert: CertificateRequired"),
    ],
    "the server and this agent have no cipher in common": [
      failure("received fatal alert: HandshakeFailure"),
      failure("peer is incompatible: NoCipherSuitesInCommon"),
    ],
    "the server itself has failed": [failure("received fatal alert: InternalError")],
    "the server refuses this machine": [failure("received fatal alert: AccessDenied")],
    "what came is no valid TLS": [
      failure("received corrupt message of type Handshake"),
      failure("peer misbehaved: IllegalMiddleboxChangeCipherSpec"),
    ],
    "odd": [failure("odd (os error 5)")],
  },
  "Cannot connect to panel.test port 443: ": {
    "it does not speak TLS; is it an http:// address?": [
      failure("received corrupt message of type InvalidContentType"),
      failure("write EPROTO: wrong version number"),
      failure("write EPROTO", "ERR_SSL_WRONG_VERSION_NUMBER"),
    ],
  },
};
for (const [start, told] of Object.entries(TLS_ERRORS)) {
  for (const [words, errors] of Object.entries(told)) {
    Deno.test(`tlsErrorMessage() says "${start}${words}"`, () => {
      for (const error of errors) assertEquals(tlsErrorMessage(error, SERVER), start + words);
    });
  }
}
