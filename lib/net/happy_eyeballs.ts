/** Options of a TCP connection. */
export interface TcpOptions {
  port: number;
  signal: AbortSignal;
}

/**
 * Connects with a signal and never leaks a connection.
 *
 * When the signal aborts just after the kernel has connected, `Deno.connect` checks it once more and
 * drops the connection without closing it. The signal that it gets here does not throw then.
 *
 * @throws The signal's reason when it aborts.
 */
export async function connectAbortable(
  hostname: string,
  options: TcpOptions,
): Promise<Deno.TcpConn> {
  const { port, signal } = options;
  const cancel = new AbortController();
  Object.defineProperty(cancel.signal, "throwIfAborted", { value: () => {} });
  const abort = () => cancel.abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    const connection = await Deno.connect({ hostname, port, signal: cancel.signal });
    if (signal.aborted) connection.close();
    signal.throwIfAborted();
    return connection;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** A reason that nothing reads: the runtime would create one with a stack trace, in 3 ms. */
const OVER = "another address has answered";
/** Delay until the next address is tried as well (RFC 8305). */
const STAGGER_MS = 250;

/**
 * Connects to the first address that answers (RFC 8305). The next address is tried when one fails or
 * takes longer than 250 ms; connections that come too late are closed.
 *
 * @throws The error of the address that failed first, when all failed.
 * @throws The signal's reason when it aborts.
 */
export async function connectHappyEyeballs(
  addresses: readonly string[],
  options: TcpOptions,
): Promise<Deno.TcpConn> {
  const { port, signal } = options;
  signal.throwIfAborted();
  const waiting = [...addresses];
  const over = new AbortController();
  const { promise, resolve, reject } = Promise.withResolvers<Deno.TcpConn>();
  let running = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let reason: unknown;

  function end(): void {
    waiting.length = 0;
    clearTimeout(timer);
    over.abort(OVER);
  }

  function startNext(): void {
    clearTimeout(timer);
    const hostname = waiting.shift();
    if (hostname === undefined) return;
    running++;
    connectAbortable(hostname, { port, signal: over.signal }).then(win, lose);
    if (waiting.length > 0) timer = setTimeout(startNext, STAGGER_MS);
  }

  function win(connection: Deno.TcpConn): void {
    // Another one has won, or the signal has aborted.
    if (over.signal.aborted) {
      connection.close();
      return lose(signal.reason);
    }
    end();
    resolve(connection);
  }

  function lose(error: unknown): void {
    reason ??= error;
    running--;
    startNext();
    if (running === 0) reject(reason);
  }

  if (waiting.length === 0) throw new RangeError("Cannot connect: there is no address");
  signal.addEventListener("abort", end, { once: true });
  startNext();
  try {
    return await promise;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", end);
  }
}
