import { type ByteStream, closeOnAbort, closeQuietly, ConnectionStream } from "./byte_stream.ts";
import type { HostAndPort } from "./connector.ts";
import { tlsErrorMessage } from "./error_messages.ts";
import { DialError } from "./errors.ts";
import { startInsecureTls } from "./insecure_tls.ts";
import { openLoopbackProxy } from "./loopback_proxy.ts";
import { withTimeout } from "./timeout.ts";

/** Whom to trust. */
export interface TrustOptions {
  /** Certificates to trust beside the built-in ones, in PEM. */
  readonly caCerts?: readonly string[];
  /** Any certificate is trusted, and nobody knows who reads along. */
  readonly anyCertificate?: boolean;
}

const HANDSHAKE_MS = 10_000;

/** All that is spoken over streams. */
const PROTOCOLS = ["http/1.1"];

/** Starts TLS on connections. */
export class Tls {
  readonly #caCerts: string[];
  readonly #anyCertificate: boolean;
  /**
   * The last handshake had to be given up. The runtime keeps the socket of such a one until the
   * other side lets go, so the next ones take a {@linkcode Detour} until one succeeds.
   */
  #handshakeHung = false;

  constructor(options: TrustOptions) {
    this.#caCerts = [...options.caCerts ?? []];
    this.#anyCertificate = options.anyCertificate ?? false;
  }

  /**
   * Takes the connection over, waits for the handshake and closes all when it fails.
   *
   * @throws {DialError} Of the stage "tls".
   */
  async start(
    connection: Deno.TcpConn,
    server: HostAndPort & { signal: AbortSignal },
  ): Promise<ByteStream> {
    const { signal } = server;
    // A final dot belongs to a lookup; no certificate has it.
    const hostname = server.host.replace(/\.$/, "");
    try {
      return await withTimeout(
        (signal) =>
          this.#anyCertificate
            ? startInsecureTls(connection, { hostname, signal, protocols: PROTOCOLS })
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
