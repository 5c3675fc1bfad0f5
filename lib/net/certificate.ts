import { closeQuietly } from "./byte_stream.ts";
import { startNodeTls } from "./node_tls.ts";

/** The certificate of a server. */
export interface Certificate {
  /** Name of the issuer; empty if it has none. */
  readonly issuer: string;
  /** The names and addresses that it is for. */
  readonly names: readonly string[];
  /** Whether it is its own issuer. */
  readonly isSelfSigned: boolean;
  /** Whether the server has sent no certificate of the issuer beside it. */
  readonly isAlone: boolean;
  /** Whether it says where its issuer's certificate is, as those of well-known authorities do. */
  readonly namesIssuersFile: boolean;
  /** Begin and end of its validity, in milliseconds since 1970. */
  readonly validFromMs: number;
  readonly validUntilMs: number;
  /** Version of TLS, such as `TLSv1.3`. */
  readonly tlsVersion: string;
}

/**
 * Reads the certificate of the server at the other end of a connection, trusted or not, and closes
 * the connection.
 *
 * @throws {Error} When the handshake fails.
 */
export async function readCertificate(
  connection: Deno.TcpConn,
  { host, signal }: { host: string; signal: AbortSignal },
): Promise<Certificate> {
  const options = { hostname: host, protocols: [], signal, verify: false, caCerts: [] };
  try {
    const stream = await startNodeTls(connection, options);
    const shown = stream.socket.getPeerCertificate(true);
    const { issuer, subject, subjectaltname, valid_from, valid_to, infoAccess } = shown;
    const [name = ""] = [issuer?.O ?? issuer?.CN ?? ""].flat();
    const isSelfSigned = JSON.stringify(issuer) === JSON.stringify(subject);
    const tlsVersion = stream.socket.getProtocol() ?? "";
    stream.close();
    return {
      issuer: name,
      names: namesIn(subjectaltname),
      isSelfSigned,
      isAlone: !isSelfSigned && shown.issuerCertificate === undefined,
      namesIssuersFile: infoAccess?.["CA Issuers - URI"] !== undefined,
      validFromMs: Date.parse(valid_from),
      validUntilMs: Date.parse(valid_to),
      tlsVersion,
    };
  } finally {
    closeQuietly(connection);
  }
}

/** The names in a text such as `DNS:panel.example.com, IP Address:192.0.2.1`. */
function namesIn(text = ""): string[] {
  return text.split(", ").flatMap((entry) => {
    const [, name] = /^(?:DNS|IP Address):(.+)$/.exec(entry) ?? [];
    return name === undefined ? [] : [name];
  });
}
