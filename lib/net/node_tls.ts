import { attempt } from "../attempt.ts";
import { addressBytes, ipFamily } from "../parse/ip_address.ts";
import { writeAll } from "../io/write_all.ts";
import { type ByteStream, closeOnAbort, closeQuietly } from "./byte_stream.ts";

type NodeStream = typeof import("node:stream");
type Duplex = InstanceType<NodeStream["Duplex"]>;

const BUFFER_BYTES = 16 * 1024;

/**
 * A connection as a stream of Node's that reads only while data is wanted.
 *
 * Node's TLS buffers all that its stream delivers, so without this back-pressure a server could fill
 * the memory.
 */
class PausableDuplex {
  readonly duplex: Duplex;
  readonly #connection: Deno.TcpConn;
  #wantsData = false;
  #isReadRequested = false;
  #isReading = false;

  /** @param duplex Node's class, loaded by the caller. */
  constructor(connection: Deno.TcpConn, duplex: NodeStream["Duplex"]) {
    this.#connection = connection;
    this.duplex = new duplex({
      read: () => {
        this.#isReadRequested = true;
        this.#read();
      },
      write: (chunk: Uint8Array, _encoding, done) => {
        writeAll(connection, chunk).then(() => done(), done);
      },
      final: (done) => {
        connection.closeWrite().then(() => done(), () => done());
      },
      destroy: (error, done) => {
        closeQuietly(connection);
        done(error);
      },
    });
  }

  /** Whether bytes may be read. */
  set wantsData(value: boolean) {
    this.#wantsData = value;
    this.#read();
  }

  async #read(): Promise<void> {
    if (!this.#wantsData || !this.#isReadRequested || this.#isReading) return;
    this.#isReadRequested = false;
    this.#isReading = true;
    try {
      const buffer = new Uint8Array(BUFFER_BYTES);
      const count = await this.#connection.read(buffer);
      this.#isReading = false;
      this.duplex.push(count === null ? null : buffer.subarray(0, count));
    } catch (error) {
      this.duplex.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** Options of {@linkcode startNodeTls}. */
export interface NodeTlsOptions {
  readonly hostname: string;
  /** Protocols offered by ALPN. */
  readonly protocols: string[];
  readonly signal: AbortSignal;
  /** Whether a certificate that can't be trusted fails the handshake. */
  readonly verify: boolean;
  /** Certificates to trust beside those of the runtime, in PEM. */
  readonly caCerts: readonly string[];
}

type TlsSocket = import("node:tls").TLSSocket;

/**
 * Has the runtime gather the randomness that its TLS begins with, on another thread: the first handshake
 * would take the main thread 25 ms for it.
 */
export async function gatherRandomness(): Promise<void> {
  await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
}

/** Loads what a handshake needs, and lets the runtime gather randomness, in tens of milliseconds. */
export async function loadNodeTls(): Promise<void> {
  await Promise.all([import("node:tls"), import("node:stream"), gatherRandomness()]);
}

/**
 * Starts TLS on a connection by Node's library, which is loaded on first use, since it costs
 * megabytes.
 *
 * It can do what the runtime's own TLS can't: leave certificates unverified, and close a connection
 * whose handshake hangs.
 *
 * @throws The library's error when the handshake fails; everything is closed then.
 */
export async function startNodeTls(
  connection: Deno.TcpConn,
  options: NodeTlsOptions,
): Promise<NodeTlsStream> {
  const { hostname, protocols, signal, verify, caCerts } = options;
  const [{ connect, getCACertificates, checkServerIdentity }, { Duplex }] = await Promise.all([
    import("node:tls"),
    import("node:stream"),
  ]);
  signal.throwIfAborted();
  const encrypted = new PausableDuplex(connection, Duplex);
  const socket = connect({
    socket: encrypted.duplex,
    rejectUnauthorized: verify,
    // As the runtime does it, which takes no common name for a host's, and no text within another name:
    // the library would find `DNS:panel.test` in `URI:http://x, DNS:panel.test`.
    checkServerIdentity: (host, { subject, ...certificate }) => {
      const isFor = (subjectaltname: string) =>
        checkServerIdentity(host, {
          ...certificate,
          subjectaltname,
          subject: { ...subject, CN: "" },
        });
      const names = new Set(certificate.subjectaltname?.split(", "));
      const encoded = bytesText(certificate.raw);
      const own = [...names].find((name) =>
        isFor(name) === undefined && encoded.includes(encodedName(name, host))
      );
      return isFor(own ?? "");
    },
    ALPNProtocols: protocols,
    // An address is no server name, but is compared with the certificate.
    ...(ipFamily(hostname) === undefined ? { servername: hostname } : { host: hostname }),
    // They would replace those of the runtime.
    ...(caCerts.length > 0 ? { ca: [...authorities(getCACertificates), ...caCerts] } : {}),
  });
  const stream = new NodeTlsStream(socket, encrypted);
  using _ = closeOnAbort(stream, signal);
  try {
    await stream.secure();
    signal.throwIfAborted();
    if (verify && !socket.authorized) throw socket.authorizationError;
    return stream;
  } catch (error) {
    stream.close();
    throw error;
  }
}

/** A name that fits a host, as a certificate encodes it: kind, length, and bytes. */
function encodedName(name: string, host: string): string {
  const address = addressBytes(host);
  const bytes = address ?? new TextEncoder().encode(name.replace(/^DNS:/, ""));
  const length = bytes.length < 128 ? [bytes.length] : [0x81, bytes.length];
  return bytesText(Uint8Array.from([address === undefined ? 0x82 : 0x87, ...length, ...bytes]));
}

/** Bytes as a text that has one character for each. */
function bytesText(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

/** Those of the runtime; none in a sealed process, which may not ask for them. */
function authorities(
  getCACertificates: typeof import("node:tls").getCACertificates,
): readonly string[] {
  return attempt(() => getCACertificates("default")) ?? [];
}

/** A TLS socket of Node's as a stream. */
export class NodeTlsStream implements ByteStream {
  readonly socket: TlsSocket;
  readonly #encrypted: PausableDuplex;
  #rest: Uint8Array = new Uint8Array();
  #error: unknown;
  #wake: () => void = () => {};

  constructor(socket: TlsSocket, encrypted: PausableDuplex) {
    this.socket = socket;
    this.#encrypted = encrypted;
    socket.on("error", (error) => this.#error ??= error);
    for (const event of ["secureConnect", "readable", "end", "close"]) {
      socket.on(event, () => this.#wake());
    }
  }

  /** Waits for the handshake. */
  async secure(): Promise<void> {
    let isSecure = false;
    this.socket.once("secureConnect", () => isSecure = true);
    while (!isSecure) {
      if (this.socket.destroyed) throw this.#error ?? new Error("unexpected end of file");
      await this.#waitForEvent();
    }
  }

  async read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    while (this.#rest.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      const chunk: unknown = this.socket.read();
      if (chunk instanceof Uint8Array) this.#rest = chunk;
      else if (this.socket.readableEnded) return null;
      else if (this.socket.destroyed) throw new Error("Cannot read: the stream was closed");
      else await this.#waitForEvent();
    }
    const count = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => {
        if (error) reject(this.#error ?? error);
        else resolve(bytes.length);
      });
    });
  }

  close(): void {
    this.socket.destroy();
    this.#encrypted.duplex.destroy();
  }

  /** Reads until an event of the socket. */
  async #waitForEvent(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    this.#encrypted.wantsData = true;
    await promise;
    this.#encrypted.wantsData = false;
  }
}
