/** A two-way stream of bytes to a server, whatever lies between: proxy, TLS or nothing. */
export interface ByteStream {
  /** Bytes read into the buffer; `null` when the other side has ended. Rejects when it was closed. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number | null>;
  /** How many bytes the system took, at least one. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  /** Ends both directions at once; closing twice does nothing. */
  close(): void;
}

/** A line that stands, and what a request over it has to know of the way. */
export interface DialResult {
  readonly stream: ByteStream;
  /**
   * Set when an HTTP proxy reads the requests: their first line must name the whole URL.
   * `authorization` is the value of `Proxy-Authorization`, when the proxy wants one.
   */
  readonly forward?: { readonly authorization?: string };
}

/** Opens lines; every way to a panel goes through one. */
export interface Dialer {
  /**
   * Opens a line to the host of an `http:`, `https:`, `ws:` or `wss:` URL. Names are looked up
   * anew each time.
   *
   * @throws {LineError} When it does not come about; the message has no query and no password.
   * @throws The signal's reason when it aborts.
   */
  dial(url: URL, options: { signal: AbortSignal }): Promise<DialResult>;
}

/** Closes what may be closed already. */
export function closeQuietly(resource: { close(): void }): void {
  try {
    resource.close();
  } catch {
    // It is closed already.
  }
}

/** Closes a resource when `signal` aborts, which ends all that waits for it; until disposed of. */
export function closeOnAbort(resource: { close(): void }, signal: AbortSignal): Disposable {
  const close = () => closeQuietly(resource);
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", close) };
}

/** A line that is a connection of the runtime, by TLS or not. */
export class ConnectionStream implements ByteStream {
  readonly #connection: Pick<Deno.Conn, "read" | "write" | "close">;

  constructor(connection: Pick<Deno.Conn, "read" | "write" | "close">) {
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

/** At most so much is on its way. */
const BUFFER_BYTES = 16 * 1024;

/** Passes on all that one connection says to another, until it has said all. */
export async function copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (let count; (count = await from.read(buffer)) !== null;) {
    await writeAll(to, buffer.subarray(0, count));
  }
}

/** Writes bytes to their last; one write may take a part only. */
export async function writeAll<B extends ArrayBufferLike>(
  to: { write(bytes: Uint8Array<B>): Promise<number> },
  bytes: Uint8Array<B>,
): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
}

/**
 * Reads exactly `length` bytes, and none of those that follow.
 *
 * @throws {Error} When the stream ends before; the message is `ended`.
 */
export async function readExact(
  from: { read(into: Uint8Array<ArrayBuffer>): Promise<number | null> },
  { length, ended }: { length: number; ended: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let received = 0; received < length;) {
    const count = await from.read(bytes.subarray(received));
    if (count === null) throw new Error(ended);
    received += count;
  }
  return bytes;
}
