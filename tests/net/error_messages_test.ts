import { cases, same } from "../cases.ts";
import {
  connectErrorMessage,
  lookupErrorMessage,
  tlsErrorMessage,
} from "../../lib/net/error_messages.ts";

/** An error of the runtime's, below another one; words in capitals are its code. */
function failure(text: string): Error {
  const [code = ""] = /^[A-Z_]+\b/.exec(text) ?? [];
  const cause = new Error(text.slice(code.length).trim() || "odd");
  return new Error("outer", { cause: code === "" ? cause : Object.assign(cause, { code }) });
}

/** Rows of a table; between bars stand errors that mean the same. */
function rowsOf(table: string): [error: string, words: string][] {
  return cases(table).flatMap(([errors, words]) =>
    errors.split(" | ").map((error) => [error, words] as [string, string])
  );
}

Deno.test("connectErrorMessage() says in words what the system's code means, and leaves other messages", () => {
  const rows = rowsOf(`
    ECONNREFUSED → connection refused
    ECONNRESET → connection reset
    ENETUNREACH → network is unreachable
    EHOSTUNREACH → host is unreachable
    EADDRNOTAVAIL → this machine has no address of that family, or no free port
    EAFNOSUPPORT → this machine has no address of that family
    ETIMEDOUT → no answer
    EINVAL → a route of this machine leads nowhere
    EACCES → it is prohibited, here or on the way
    EPERM → this machine does not let it through
    EIO odd (os error 5) → odd
    (os error 5) odd → (os error 5) odd
  `);
  same((error) => connectErrorMessage(failure(error)), rows);
  same(connectErrorMessage, [["a text", "a text"]]);
});

Deno.test("lookupErrorMessage() tells a name that there is not from a server that is mute", () => {
  const rows = rowsOf(`
    ENOTFOUND getaddrinfo | Name or service not known | the name does not resolve → no such name
    it has no address | no records found | nodename nor servname provided → no such name
    EAI_AGAIN getaddrinfo | Temporary failure in name resolution → the name server does not answer
    Try again → the name server does not answer
    odd (os error 5) → odd
  `);
  same((error) => lookupErrorMessage(failure(error)), rows);
});

const SERVER = { host: "panel.test", port: 443 };
/** What is said of errors of both libraries. */
const TLS_ERRORS = {
  "Cannot trust the certificate of panel.test: ": `
    UnknownIssuer → its issuer is unknown to this machine
    Node: unable to verify the first certificate → its issuer is unknown to this machine, or it is not valid at this time
    Other(CaUsedAsEndEntity) | Node: self-signed certificate | Node: self-signed certificate in certificate chain → it is self-signed
    NotValidForName | not valid for name panel.test | not valid for any name → it is for another name
    Node: Hostname/IP does not match certificate's altnames: Host: x → it is for another name
    Expired | certificate expired: verification time 1 → it has expired, or this machine's clock is wrong
    NotValidYet | certificate not valid yet → it is not valid yet, or this machine's clock is wrong
    odd → it is malformed, or of a kind that is not supported (invalid peer certificate: odd)`,
  "Cannot start TLS with panel.test port 443: ": `
    unexpected end of file | tls handshake eof | Broken pipe → the server closed the connection
    Connection reset by peer (os error 104) → the server closed the connection
    Client network socket disconnected → the server closed the connection
    received fatal alert: UnrecognisedName → the server has no site of that name
    received fatal alert: CertificateRequired → the server requires a client certificate
    received fatal alert: HandshakeFailure → the server and this agent have no cipher in common
    peer is incompatible: NoCipherSuitesInCommon → the server and this agent have no cipher in common
    received fatal alert: ProtocolVersion → it has no TLS 1.2 or 1.3
    received fatal alert: NoApplicationProtocol → the server speaks no HTTP/1.1 there
    received corrupt message of type Handshake → the answer is not valid TLS
    peer misbehaved: IllegalMiddleboxChangeCipherSpec → the answer is not valid TLS
    odd (os error 5) → odd`,
  "Cannot connect to panel.test port 443: ": `
    received corrupt message of type InvalidContentType → it does not speak TLS; is it an http:// address?
    write EPROTO: wrong version number → it does not speak TLS; is it an http:// address?
    ERR_SSL_WRONG_VERSION_NUMBER → it does not speak TLS; is it an http:// address?`,
};

Deno.test("tlsErrorMessage() says what the errors of both libraries mean", () => {
  for (const [start, table] of Object.entries(TLS_ERRORS)) {
    const messageOf = (error: string) => {
      const isRuntimes = start.includes("certificate") && !error.startsWith("Node: ");
      const text = isRuntimes ? `invalid peer certificate: ${error}` : error.replace("Node: ", "");
      return tlsErrorMessage(failure(text), SERVER);
    };
    same(messageOf, rowsOf(table).map(([error, words]) => [error, start + words]));
  }
});
