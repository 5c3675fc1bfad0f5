import { ipFamily } from "../parse/ip_address.ts";
import { closeQuietly } from "./byte_stream.ts";
import { PausableSource } from "./node_tls.ts";

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
  const [{ connect }, { Duplex }] = await Promise.all([
    import("node:tls"),
    import("node:stream"),
  ]);
  const source = new PausableSource(connection, Duplex);
  const socket = connect({
    socket: source.duplex,
    rejectUnauthorized: false,
    ...(ipFamily(host) === undefined ? { servername: host } : {}),
  });
  source.wantsData = true;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal.reason);
  socket.once("secureConnect", () => resolve());
  socket.on("error", reject);
  socket.once("close", () => reject(new Error("the server closed the connection")));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    await promise;
    const { issuer, valid_to } = socket.getPeerCertificate();
    const [name = ""] = [issuer?.O ?? issuer?.CN ?? ""].flat();
    const tlsVersion = socket.getProtocol() ?? "";
    return { issuer: name, validUntilMs: Date.parse(valid_to), tlsVersion };
  } finally {
    signal.removeEventListener("abort", abort);
    socket.destroy();
    closeQuietly(connection);
  }
}
