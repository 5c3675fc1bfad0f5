import { closedOnAbort, closeQuietly, ConnectionLine, type Line } from "./byte_stream.ts";
import type { Endpoint } from "./connector.ts";
import { tlsFailure } from "./error_messages.ts";
import { LineError } from "./errors.ts";
import { openUnverified } from "./insecure_tls.ts";
import { openDetour } from "./loopback_proxy.ts";
import { withTimeLimit } from "./timeout.ts";

/** Whom to trust. */
export interface TrustOptions {
  /** Certificates to trust beside the built-in ones, in PEM. */
  readonly caCerts?: readonly string[];
  /** Any certificate is trusted, and nobody knows who reads along. */
  readonly anyCertificate?: boolean;
}

const HANDSHAKE_MS = 10_000;

/** All that is spoken over lines. */
const PROTOCOLS = ["http/1.1"];

/** Starts TLS on connections. */
export class Tls {
  readonly #caCerts: string[];
  readonly #anyCertificate: boolean;
  /**
   * The last handshake had to be given up. The runtime keeps the socket of such a one until the
   * other side lets go, so the next ones take a {@linkcode Detour} until one succeeds.
   */
  #hung = false;

  constructor(options: TrustOptions) {
    this.#caCerts = [...options.caCerts ?? []];
    this.#anyCertificate = options.anyCertificate ?? false;
  }

  /**
   * Takes the connection over, waits for the handshake and closes all when it fails.
   *
   * @throws {LineError} Of the stage "tls".
   */
  async start(
    connection: Deno.TcpConn,
    server: Endpoint & { signal: AbortSignal },
  ): Promise<Line> {
    const { signal } = server;
    // A final dot belongs to a lookup; no certificate has it.
    const hostname = server.host.replace(/\.$/, "");
    try {
      return await withTimeLimit(
        (signal) =>
          this.#anyCertificate
            ? openUnverified(connection, { hostname, signal, protocols: PROTOCOLS })
            : this.#startVerified(connection, { hostname, signal }),
        { ms: HANDSHAKE_MS, signal },
      );
    } catch (cause) {
      closeQuietly(connection);
      signal.throwIfAborted();
      throw new LineError(tlsFailure(cause, server), { stage: "tls", cause });
    }
  }

  async #startVerified(
    connection: Deno.TcpConn,
    { hostname, signal }: { hostname: string; signal: AbortSignal },
  ): Promise<Line> {
    const detour = this.#hung ? await openDetour(connection) : undefined;
    let tls: Deno.TlsConn | undefined;
    try {
      tls = await Deno.startTls(detour?.near ?? connection, {
        hostname,
        caCerts: this.#caCerts,
        alpnProtocols: PROTOCOLS,
      });
      using _ = closedOnAbort(tls, signal);
      await tls.handshake();
      signal.throwIfAborted();
      this.#hung = false;
      return new ConnectionLine(tls);
    } catch (error) {
      if (signal.aborted) this.#hung = true;
      if (tls) closeQuietly(tls);
      if (detour) closeQuietly(detour.near);
      detour?.close();
      throw error;
    }
  }
}
