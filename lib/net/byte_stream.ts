import { attempt } from "../attempt.ts";
import type { DialStage } from "./errors.ts";

/** A bidirectional stream of bytes to a server: TCP, TLS, or either through a proxy. */
export interface ByteStream {
  /** Reads into the buffer and gives the count; `null` at the end. Rejects when it was closed. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  /** Writes the start of the bytes and gives the count, at least one. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  /** Closes both directions at once; closing twice does nothing. */
  close(): void;
}

/** An open stream to a server. */
export interface DialResult {
  readonly stream: ByteStream;
  /**
   * Set when an HTTP proxy forwards the requests: the request line must hold the whole URL.
   * `authorization` is the value of `Proxy-Authorization`, if the proxy needs one.
   */
  readonly forward?: { readonly authorization?: string };
}

/** Options of one dial; `onStage` is told which step begins, and `undefined` once all have ended. */
export interface DialCall {
  readonly signal: AbortSignal;
  readonly onStage?: ((stage: DialStage | undefined) => void) | undefined;
}

/** Opens streams to servers. */
export interface Dialer {
  /**
   * Opens a stream to the host of an `http:`, `https:`, `ws:` or `wss:` URL. Names are resolved
   * each time.
   *
   * @throws {DialError} When that fails; the message has no query and no password.
   * @throws The signal's reason when it aborts.
   */
  dial(url: URL, options: DialCall): Promise<DialResult>;
}

/** Closes a resource that may be closed already. */
export function closeQuietly(resource: { close(): void }): void {
  attempt(() => resource.close());
}

/** Closes a resource when `signal` aborts, until the result is disposed of. */
export function closeOnAbort(resource: { close(): void }, signal: AbortSignal): Disposable {
  const close = () => closeQuietly(resource);
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", close) };
}

/** A TCP or TLS connection of the runtime as a stream. */
export class ConnectionStream implements ByteStream {
  readonly #connection: ByteStream;

  constructor(connection: ByteStream) {
    this.#connection = connection;
  }

  read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    return this.#connection.read(into);
  }

  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    return this.#connection.write(bytes);
  }

  close(): void {
    closeQuietly(this.#connection);
  }
}
