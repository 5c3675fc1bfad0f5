/** Options of a TCP connection. */
export interface TcpOptions {
  port: number;
  signal: AbortSignal;
}

/**
 * Connects with a signal and never leaks a connection.
 *
 * @throws The signal's reason when it aborts.
 */
export async function connectAbortable(
  hostname: string,
  { port, signal }: TcpOptions,
): Promise<Deno.TcpConn> {
  signal.throwIfAborted();
  const cancel = new AbortController();
  // When its signal aborts just after the kernel has connected, `Deno.connect` asks the signal to throw,
  // and leaves the connection open. So it gets one that aborts and does not throw.
  Object.defineProperty(cancel.signal, "throwIfAborted", { value: () => {} });
  const abort = () => cancel.abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    const connection = await Deno.connect({ hostname, port, signal: cancel.signal });
    if (signal.aborted) connection.close();
    signal.throwIfAborted();
    return connection;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** A reason that nothing reads: without one the runtime makes an error with a stack trace. */
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
  { port, signal }: TcpOptions,
): Promise<Deno.TcpConn> {
  signal.throwIfAborted();
  const waiting = [...addresses];
  if (waiting.length === 0) throw new RangeError("Cannot connect: there is no address");
  const over = new AbortController();
  const first = Promise.withResolvers<Deno.TcpConn>();
  const errors: unknown[] = [];
  let running = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function stop(): void {
    waiting.length = 0;
    clearTimeout(timer);
    over.abort(OVER);
  }

  async function tryNext(): Promise<void> {
    clearTimeout(timer);
    const hostname = waiting.shift();
    if (hostname === undefined) return;
    if (waiting.length > 0) timer = setTimeout(tryNext, STAGGER_MS);
    running++;
    try {
      const connection = await connectAbortable(hostname, { port, signal: over.signal });
      // Another one may have connected at the same time.
      if (over.signal.aborted) connection.close();
      else first.resolve(connection);
      stop();
    } catch (error) {
      errors.push(error);
      tryNext();
    }
    running--;
    if (running === 0) first.reject(errors[0]);
  }

  signal.addEventListener("abort", stop, { once: true });
  try {
    tryNext();
    return await first.promise;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
