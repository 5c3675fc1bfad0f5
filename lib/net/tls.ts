import { type ByteStream, closeOnAbort, closeQuietly, ConnectionStream } from "./byte_stream.ts";
import type { HostAndPort } from "../parse/proxy.ts";
import { tlsErrorMessage } from "./error_messages.ts";
import { DialError } from "./errors.ts";
import { type NodeTlsOptions, startNodeTls } from "./node_tls.ts";
import { withTimeout } from "../async/timeout.ts";

/** Trust settings. */
export interface TrustOptions {
  /** Certificates to trust beside the built-in ones, in PEM. */
  readonly caCerts?: readonly string[];
  /** Accepts any certificate, so that anyone on the path can read and change the traffic. */
  readonly anyCertificate?: boolean;
}

const HANDSHAKE_MS = 10_000;

/** Handshakes that may leave a socket open at first, and one more each day. */
const MAX_LEFT_OPEN = 8;
const DAY_MS = 24 * 3600 * 1000;

/** Protocols offered by ALPN. */
const PROTOCOLS = ["http/1.1"];

/** Variables that name more authorities, or others than the built-in ones, by a file. */
const AUTHORITY_VARIABLES = [
  ...["DENO_TLS_CA_STORE", "DENO_CERT", "NODE_EXTRA_CA_CERTS"],
  ...["SSL_CERT_FILE", "SSL_CERT_DIR"],
] as const;

/**
 * Has the runtime read the files of authorities now, which it would do with the first handshake, and
 * keep what they hold.
 *
 * @throws {Error} When it can't.
 */
export function loadAuthorities(): void {
  if (!AUTHORITY_VARIABLES.some((name) => Deno.env.has(name))) return;
  try {
    Deno.createHttpClient({}).close();
  } catch (cause) {
    throw new Error("Cannot load the certificates of authorities", { cause });
  }
}

/** Starts TLS on TCP connections. */
export class Tls {
  readonly #caCerts: string[];
  readonly #verify: boolean;
  readonly #byNode: boolean;
  /** Whether a server has shown an authority's certificate, which only Node's library takes. */
  #isOfAuthority = false;
  /** Whether the last handshake hung: the next one must not leave another socket open. */
  #hung = false;
  /** Sockets that the runtime has kept open: a server may hang and answer in turn. */
  #leftOpen = 0;

  /**
   * @param options `byNode`: starts all handshakes by Node's library. It costs megabytes more than the
   * runtime's own, which keeps the socket of a handshake that hangs until the server closes it.
   */
  constructor(options: TrustOptions & { readonly byNode?: boolean }) {
    this.#caCerts = [...options.caCerts ?? []];
    this.#verify = !options.anyCertificate;
    this.#byNode = options.byNode ?? false;
  }

  /** Whether the next handshake is Node's library's, since a server has shown an authority's certificate. */
  get isOfAuthority(): boolean {
    return this.#isOfAuthority;
  }

  /**
   * Takes over a connection and waits for the handshake; everything is closed when it fails.
   *
   * When it fails because the certificate is an authority's, as the commonest self-signed ones are,
   * and certificates of one's own are trusted, the next handshake is Node's library's: the runtime's
   * own takes no such certificate, and Node's takes it when it is one of the trusted.
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
        (signal) => this.#shakeHands(connection, { hostname, signal }),
        { timeoutMs: HANDSHAKE_MS, signal },
      );
    } catch (cause) {
      closeQuietly(connection);
      signal.throwIfAborted();
      throw new DialError(tlsErrorMessage(cause, server), { stage: "tls", cause });
    }
  }

  async #shakeHands(
    connection: Deno.TcpConn,
    { hostname, signal }: { hostname: string; signal: AbortSignal },
  ): Promise<ByteStream> {
    const options = { hostname, signal, protocols: PROTOCOLS, caCerts: this.#caCerts };
    const isByNode = this.#byNode || !this.#verify || this.#isOfAuthority ||
      this.#hung || this.#leftOpen >= MAX_LEFT_OPEN + Math.floor(performance.now() / DAY_MS);
    try {
      const stream = isByNode
        ? await startNodeTls(connection, { ...options, verify: this.#verify })
        : await startRuntimeTls(connection, options);
      this.#hung = false;
      return stream;
    } catch (error) {
      this.#hung = signal.aborted;
      if (this.#hung && !isByNode) this.#leftOpen++;
      // Refused by both, the runtime's is asked again: it knows all authorities, sealed too.
      this.#isOfAuthority = !isByNode && this.#caCerts.length > 0 && isAuthoritysCertificate(error);
      throw error;
    }
  }
}

/** Whether the server's certificate may sign others, which the runtime refuses in a server's own. */
function isAuthoritysCertificate(error: unknown): boolean {
  return error instanceof Error && error.message.includes("CaUsedAsEndEntity");
}

async function startRuntimeTls(
  connection: Deno.TcpConn,
  { hostname, signal, protocols, caCerts }: Omit<NodeTlsOptions, "verify">,
): Promise<ByteStream> {
  const tls = await Deno.startTls(connection, {
    hostname,
    caCerts: [...caCerts],
    alpnProtocols: protocols,
  });
  try {
    using _ = closeOnAbort(tls, signal);
    await tls.handshake();
    signal.throwIfAborted();
    return new ConnectionStream(tls);
  } catch (error) {
    closeQuietly(tls);
    throw error;
  }
}
