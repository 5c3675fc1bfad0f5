import { ipFamily } from "../parse/ip_address.ts";
import { closedOnAbort, closeQuietly } from "./close_quietly.ts";
import type { Line } from "./line.ts";

/** TLS with whoever answers. */
export interface UnverifiedTlsOptions {
  hostname: string;
  protocols: string[];
  signal: AbortSignal;
}

type TlsSocket = import("node:tls").TLSSocket;

/**
 * Starts TLS on a connection without a look at the other side's certificate.
 *
 * The runtime's own TLS always looks, so this is Node's, on top of the connection; it is loaded on
 * first use, for it takes megabytes.
 *
 * @throws The library's error when the handshake fails; what was opened is closed then.
 */
export async function openUnverified(
  connection: Deno.TcpConn,
  options: UnverifiedTlsOptions,
): Promise<Line> {
  const { hostname, protocols, signal } = options;
  const [{ connect }, { Duplex }] = await Promise.all([
    import("node:tls"),
    import("node:stream"),
  ]);
  signal.throwIfAborted();
  const { readable, writable } = connection;
  const socket = connect({
    socket: Duplex.fromWeb({ readable, writable }),
    rejectUnauthorized: false,
    ALPNProtocols: protocols,
    ...(ipFamily(hostname) === undefined ? { servername: hostname } : {}),
  });
  const line = new SocketLine(socket, connection);
  using _ = closedOnAbort(line, signal);
  try {
    await line.secured;
    return line;
  } catch (error) {
    line.close();
    throw error;
  }
}

/** A line that is one of Node's sockets. */
class SocketLine implements Line {
  readonly secured: Promise<void>;
  readonly #socket: TlsSocket;
  readonly #connection: Deno.TcpConn;
  #rest: Uint8Array = new Uint8Array();
  #error: unknown;
  #wake: () => void = () => {};

  constructor(socket: TlsSocket, connection: Deno.TcpConn) {
    this.#socket = socket;
    this.#connection = connection;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.secured = promise;
    socket.once("secureConnect", resolve);
    socket.on("error", (error) => this.#error ??= error);
    socket.on("close", () => reject(this.#error ?? new Error("unexpected end of file")));
    for (const event of ["readable", "end", "close"]) socket.on(event, () => this.#wake());
  }

  async read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    while (this.#rest.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      const chunk: unknown = this.#socket.read();
      if (chunk instanceof Uint8Array) {
        this.#rest = chunk;
      } else if (this.#socket.readableEnded) {
        return null;
      } else if (this.#socket.destroyed) {
        throw new Error("Cannot read: the line was closed");
      } else {
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
    }
    const count = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error) reject(this.#error ?? error);
        else resolve(bytes.length);
      });
    });
  }

  close(): void {
    this.#socket.destroy();
    closeQuietly(this.#connection);
  }
}
