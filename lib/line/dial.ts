import { connectError, reachFirst } from "./reach.ts";

/** Opens a TCP connection to an IP address or a name; `Deno.connect`, but for tests. */
export type Connect = (
  options: { hostname: string; port: number; signal: AbortSignal },
) => Promise<Deno.TcpConn>;

/** What a connection needs to know. */
export interface DialOptions {
  port: number;
  signal: AbortSignal;
  connect?: Connect;
}

/** A connection and when its first packet left, in milliseconds of `performance.now()`. */
export interface Dialled {
  connection: Deno.TcpConn;
  startedAtMs: number;
}

/**
 * Connects to the first address that there is a way to.
 *
 * @throws {Error} When it was refused, reset, or there is no way to any of them.
 */
export async function dial(addresses: readonly string[], options: DialOptions): Promise<Dialled> {
  const { port, signal } = options;
  return await reachFirst(addresses, async (hostname) => {
    const startedAtMs = performance.now();
    try {
      return { connection: await connectOrClose(hostname, options), startedAtMs };
    } catch (cause) {
      signal.throwIfAborted();
      throw connectError(hostname, { port, cause });
    }
  });
}

/**
 * Connects with a signal that never loses a connection.
 *
 * When the abort comes just after the kernel has connected, `Deno.connect` has the connection and
 * throws it away unclosed, for it asks the signal once more. So it gets one that says nothing then.
 *
 * @throws The signal's reason when it aborts.
 */
export async function connectOrClose(
  hostname: string,
  options: DialOptions,
): Promise<Deno.TcpConn> {
  const { port, signal, connect = Deno.connect } = options;
  const cancel = new AbortController();
  Object.defineProperty(cancel.signal, "throwIfAborted", { value: () => {} });
  const abort = () => cancel.abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    const connection = await connect({ hostname, port, signal: cancel.signal });
    if (signal.aborted) connection.close();
    signal.throwIfAborted();
    return connection;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
