import { closeQuietly } from "./byte_stream.ts";
import { startNodeTls } from "./node_tls.ts";

/** The certificate of a server. */
export interface Certificate {
  /** Name of the issuer; empty if it has none. */
  readonly issuer: string;
  /** End of its validity, in milliseconds since 1970. */
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
    const { issuer, valid_to } = stream.socket.getPeerCertificate();
    const [name = ""] = [issuer?.O ?? issuer?.CN ?? ""].flat();
    const tlsVersion = stream.socket.getProtocol() ?? "";
    stream.close();
    return { issuer: name, validUntilMs: Date.parse(valid_to), tlsVersion };
  } finally {
    closeQuietly(connection);
  }
}
