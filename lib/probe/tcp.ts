import { connectError, reachFirst } from "./reach.ts";

/** Opens a TCP connection to an IP address; `Deno.connect`, but for tests. */
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
  const { port, signal, connect = Deno.connect } = options;
  return await reachFirst(addresses, async (hostname) => {
    const startedAtMs = performance.now();
    try {
      const connection = await connectOrClose({ hostname, port, signal }, connect);
      return { connection, startedAtMs };
    } catch (cause) {
      signal.throwIfAborted();
      throw connectError(hostname, { port, cause });
    }
  });
}

/**
 * Milliseconds that a TCP handshake took.
 *
 * @throws {Error} When there was none.
 */
export async function probeTcp(
  addresses: readonly string[],
  options: DialOptions,
): Promise<number> {
  const { connection, startedAtMs } = await dial(addresses, options);
  const elapsedMs = performance.now() - startedAtMs;
  connection.close();
  return elapsedMs;
}

/**
 * Connects with a signal that never loses a connection.
 *
 * When the abort comes just after the kernel has connected, `Deno.connect` has the connection and
 * throws it away unclosed, for it asks the signal once more. So it gets one that says nothing then.
 */
async function connectOrClose(
  options: { hostname: string; port: number; signal: AbortSignal },
  connect: Connect,
): Promise<Deno.TcpConn> {
  const { signal } = options;
  const cancel = new AbortController();
  Object.defineProperty(cancel.signal, "throwIfAborted", { value: () => {} });
  const abort = () => cancel.abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    const connection = await connect({ ...options, signal: cancel.signal });
    if (signal.aborted) connection.close();
    signal.throwIfAborted();
    return connection;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
