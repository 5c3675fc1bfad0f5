/** Nothing could be sent: this machine has no way to the address. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
}

/**
 * Tries addresses in turn and gives the result of the first that this machine has a way to.
 *
 * Only a missing way leads to the next address; every other failure is the probe's result.
 *
 * @throws {UnreachableError} When there is a way to none of them.
 */
export async function firstReachable<T>(
  addresses: readonly string[],
  attempt: (address: string) => Promise<T>,
): Promise<T> {
  let reason: unknown;
  for (const address of addresses) {
    try {
      return await attempt(address);
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      reason ??= error;
    }
  }
  throw reason ?? new UnreachableError("Cannot reach the target: it has no address");
}

/** The kernel's words for "no route", "no address of this family" and "no such family". */
const NO_WAY = new Set(["ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/** What to throw for a connection that did not come about: {@linkcode UnreachableError} if there was no way. */
export function connectError(address: string, options: { port: number; cause: unknown }): Error {
  const { port, cause } = options;
  const noWay = cause instanceof Error && "code" in cause && typeof cause.code === "string" &&
    NO_WAY.has(cause.code);
  return noWay
    ? new UnreachableError(`Cannot reach ${address}`, { cause })
    : new Error(`Cannot connect to ${address} port ${port}`, { cause });
}

/** Opens a TCP connection to an IP address or a name; `Deno.connect`, but for tests. */
export type Connect = (
  options: { hostname: string; port: number; signal: AbortSignal },
) => Promise<Deno.TcpConn>;

/** What a connection needs to know. */
export interface ReachableOptions {
  port: number;
  signal: AbortSignal;
  connect?: Connect;
}

/** A connection and when its first packet left, in milliseconds of `performance.now()`. */
export interface TimedConnection {
  connection: Deno.TcpConn;
  startedAtMs: number;
}

/**
 * Connects to the first address that there is a way to.
 *
 * @throws {Error} When it was refused, reset, or there is no way to any of them.
 */
export async function connectFirstReachable(
  addresses: readonly string[],
  options: ReachableOptions,
): Promise<TimedConnection> {
  const { port, signal } = options;
  return await firstReachable(addresses, async (hostname) => {
    const startedAtMs = performance.now();
    try {
      return { connection: await connectAbortable(hostname, options), startedAtMs };
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
export async function connectAbortable(
  hostname: string,
  options: ReachableOptions,
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

/** How a race is run. */
export interface HappyEyeballsOptions {
  port: number;
  signal: AbortSignal;
  connect?: Connect | undefined;
  timers?: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
}

/** When an address has not connected by then, the next one starts as well (RFC 8305). */
const STAGGER_MS = 250;

/**
 * Connects to the first address that answers. They start in turn, the next as soon as one fails or
 * lets itself be waited for; whoever comes too late is closed.
 *
 * @throws The reason of the first that failed, when all did.
 * @throws The signal's reason when it aborts.
 */
export async function connectHappyEyeballs(
  addresses: readonly string[],
  options: HappyEyeballsOptions,
): Promise<Deno.TcpConn> {
  const { port, signal, connect = Deno.connect, timers = globalThis } = options;
  signal.throwIfAborted();
  const waiting = [...addresses];
  const over = new AbortController();
  const { promise, resolve, reject } = Promise.withResolvers<Deno.TcpConn>();
  let running = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let reason: unknown;

  function end(): void {
    waiting.length = 0;
    timers.clearTimeout(timer);
    over.abort();
  }

  function startNext(): void {
    timers.clearTimeout(timer);
    const hostname = waiting.shift();
    if (hostname === undefined) return;
    running++;
    connectAbortable(hostname, { port, signal: over.signal, connect }).then(win, lose);
    if (waiting.length > 0) timer = timers.setTimeout(startNext, STAGGER_MS);
  }

  function win(connection: Deno.TcpConn): void {
    // Two may have connected at the same time, or nobody waits for it any more.
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
