import { writeAll } from "../io/write_all.ts";
import { type ByteStream, closeQuietly } from "./byte_stream.ts";
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
  /** The date of the server's own clock, in milliseconds since 1970; `undefined` where it was not asked. */
  readonly serverDateMs?: number | undefined;
}

/** More than the head of an answer has up to its date. */
const MAX_HEAD_BYTES = 4096;

/**
 * Reads the certificate of the server at the other end of a connection, trusted or not, and closes
 * the connection. With `asksDate` it asks for the server's date, too, and tells it nothing else.
 *
 * @throws {Error} When the handshake fails.
 */
export async function readCertificate(
  connection: Deno.TcpConn,
  { host, signal, asksDate = false }: { host: string; signal: AbortSignal; asksDate?: boolean },
): Promise<Certificate> {
  const options = { hostname: host, protocols: [], signal, verify: false, caCerts: [] };
  try {
    const stream = await startNodeTls(connection, options);
    const shown = stream.socket.getPeerCertificate(true);
    const { issuer, subject, subjectaltname, valid_from, valid_to, infoAccess } = shown;
    const [name = ""] = [issuer?.O ?? issuer?.CN ?? ""].flat();
    const isSelfSigned = JSON.stringify(issuer) === JSON.stringify(subject);
    const tlsVersion = stream.socket.getProtocol() ?? "";
    const serverDateMs = asksDate ? await dateOf(stream, host).catch(() => undefined) : undefined;
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
      serverDateMs,
    };
  } finally {
    closeQuietly(connection);
  }
}

/** The date by which a server answers; `undefined` without one. */
async function dateOf(stream: ByteStream, host: string): Promise<number | undefined> {
  const request = `HEAD / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  await writeAll(stream, new TextEncoder().encode(request));
  let head = "";
  const buffer = new Uint8Array(MAX_HEAD_BYTES);
  while (head.length < MAX_HEAD_BYTES && !head.includes("\r\n\r\n")) {
    const count = await stream.read(buffer);
    if (count === null) break;
    head += new TextDecoder().decode(buffer.subarray(0, count));
  }
  const dateMs = Date.parse(/^date: *(.+?)\r?$/im.exec(head)?.[1] ?? "");
  return Number.isNaN(dateMs) ? undefined : dateMs;
}

/** The names in a text such as `DNS:panel.example.com, IP Address:192.0.2.1`. */
function namesIn(text = ""): string[] {
  return text.split(", ").flatMap((entry) => {
    const [, name] = /^(?:DNS|IP Address):(.+)$/.exec(entry) ?? [];
    return name === undefined ? [] : [name];
  });
}
