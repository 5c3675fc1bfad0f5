import { connectError, reachFirst } from "./reach.ts";
import { dial } from "./tcp.ts";

/** A connection to a web server, plain or by TLS. */
export interface Wire {
  /** When its first packet left, in milliseconds of `performance.now()`. */
  readonly startedAtMs: number;
  /** What the server sends. */
  readonly received: AsyncIterable<Uint8Array>;
  send(text: string): Promise<void>;
  /** Ends whatever is under way. May be called again. */
  close(): void;
}

/** What a wire needs to know. */
export interface WireOptions {
  port: number;
  signal: AbortSignal;
  /** The name that the server's certificate must be for, or the address. */
  hostname: string;
  /** Authorities to trust instead of the built-in ones, in PEM. */
  caCerts?: string[];
}

/**
 * Connects without TLS to the first address that there is a way to.
 *
 * @throws {Error} When the server can't be connected to.
 */
export async function openPlain(addresses: readonly string[], options: WireOptions): Promise<Wire> {
  const { connection, startedAtMs } = await dial(addresses, options);
  const writer = connection.writable.getWriter();
  return {
    startedAtMs,
    received: connection.readable,
    send: (text) => writer.write(new TextEncoder().encode(text)),
    close: () => {
      try {
        connection.close();
      } catch {
        // It has closed itself.
      }
    },
  };
}

/**
 * Connects by TLS to the first address that there is a way to, the certificate verified.
 *
 * Node's TLS, since a `Deno.TlsConn` that is closed before its handshake is done keeps its socket
 * until the server closes it, and mute servers never do.
 *
 * @throws {Error} When the server can't be connected to or its certificate is not to be trusted.
 */
export async function openTls(addresses: readonly string[], options: WireOptions): Promise<Wire> {
  const { port, signal, hostname, caCerts } = options;
  // Loaded on first use: it takes megabytes that an agent without such probes need not pay.
  const { connect } = await import("node:tls");
  return await reachFirst(addresses, (address) => {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Wire>();
    const startedAtMs = performance.now();
    const socket = connect({
      host: address,
      port,
      ALPNProtocols: ["http/1.1"],
      // A name's final dot belongs to DNS; certificates have none.
      ...(hostname === address ? {} : { servername: hostname.replace(/\.$/, "") }),
      ...(caCerts ? { ca: caCerts } : {}),
    });
    const abort = () => socket.destroy();
    signal.addEventListener("abort", abort, { once: true });
    socket.once("secureConnect", () =>
      resolve({
        startedAtMs,
        received: socket,
        send: (text) => new Promise((sent) => void socket.write(text, () => sent())),
        close: () => void socket.destroy(),
      }));
    // Stays, for an error may also come later, and one that nobody listens to ends the process.
    socket.on("error", (cause) => reject(connectError(address, { port, cause })));
    socket.once("close", () => {
      signal.removeEventListener("abort", abort);
      reject(
        signal.aborted ? signal.reason : connectError(address, {
          port,
          cause: new Error("The server hung up"),
        }),
      );
    });
    return promise;
  });
}
