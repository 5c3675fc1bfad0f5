import { type ByteStream, closeOnAbort, closeQuietly, ConnectionStream } from "./byte_stream.ts";
import type { HostAndPort } from "./connector.ts";
import { tlsErrorMessage } from "./error_messages.ts";
import { DialError } from "./errors.ts";
import { startNodeTls } from "./node_tls.ts";
import { openLoopbackProxy } from "./loopback_proxy.ts";
import { withTimeout } from "./timeout.ts";

/** Trust settings. */
export interface TrustOptions {
  /** Certificates to trust beside the built-in ones, in PEM. */
  readonly caCerts?: readonly string[];
  /** Accepts any certificate, so that anyone on the path can read and change the traffic. */
  readonly anyCertificate?: boolean;
}

const HANDSHAKE_MS = 10_000;

/** Protocols offered by ALPN. */
const PROTOCOLS = ["http/1.1"];

/** Starts TLS on TCP connections. */
export class Tls {
  readonly #caCerts: string[];
  readonly #anyCertificate: boolean;
  /**
   * Whether the last handshake timed out. The runtime keeps its socket until the server closes it, so
   * the next ones go through a {@linkcode LoopbackProxy} until one succeeds.
   */
  #handshakeHung = false;

  constructor(options: TrustOptions) {
    this.#caCerts = [...options.caCerts ?? []];
    this.#anyCertificate = options.anyCertificate ?? false;
  }

  /**
   * Takes over a connection and waits for the handshake; everything is closed when it fails.
   *
   * @throws {DialError} Of the stage "tls".
   */
  async start(
    connection: Deno.TcpConn,
    server: HostAndPort & { signal: AbortSignal },
  ): Promise<ByteStream> {
    const { signal } = server;
    // The final dot of a name is for DNS; no certificate has it.
    const hostname = server.host.replace(/\.$/, "");
    try {
      return await withTimeout(
        (signal) =>
          this.#anyCertificate
            ? startNodeTls(connection, { hostname, signal, protocols: PROTOCOLS })
            : this.#startVerified(connection, { hostname, signal }),
        { timeoutMs: HANDSHAKE_MS, signal },
      );
    } catch (cause) {
      closeQuietly(connection);
      signal.throwIfAborted();
      throw new DialError(tlsErrorMessage(cause, server), { stage: "tls", cause });
    }
  }

  async #startVerified(
    connection: Deno.TcpConn,
    { hostname, signal }: { hostname: string; signal: AbortSignal },
  ): Promise<ByteStream> {
    const loopback = this.#handshakeHung ? await openLoopbackProxy(connection) : undefined;
    let tls: Deno.TlsConn | undefined;
    try {
      tls = await Deno.startTls(loopback?.near ?? connection, {
        hostname,
        caCerts: this.#caCerts,
        alpnProtocols: PROTOCOLS,
      });
      using _ = closeOnAbort(tls, signal);
      await tls.handshake();
      signal.throwIfAborted();
      this.#handshakeHung = false;
      return new ConnectionStream(tls);
    } catch (error) {
      if (signal.aborted) this.#handshakeHung = true;
      if (tls) closeQuietly(tls);
      if (loopback) closeQuietly(loopback.near);
      loopback?.close();
      throw error;
    }
  }
}
