/** This machine has no route to an address, so nothing was sent. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
}

/**
 * Tries addresses in turn and gives the result of the first that this machine has a route to.
 *
 * Only a missing route leads to the next address; every other failure is the probe's result.
 *
 * @throws {UnreachableError} When there is a route to none of them.
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

/** Errors of the kernel for "no route", "no address of this family" and "no such family". */
const NO_ROUTE = new Set(["ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/** The error for a failed connection: {@linkcode UnreachableError} when there is no route. */
export function connectError(address: string, options: { port: number; cause: unknown }): Error {
  const { port, cause } = options;
  const hasNoRoute = cause instanceof Error && "code" in cause && typeof cause.code === "string" &&
    NO_ROUTE.has(cause.code);
  return hasNoRoute
    ? new UnreachableError(`Cannot reach ${address}`, { cause })
    : new Error(`Cannot connect to ${address} port ${port}`, { cause });
}

/** Opens a TCP connection to an IP address or a name; `Deno.connect` except in tests. */
export type Connect = (
  options: { hostname: string; port: number; signal: AbortSignal },
) => Promise<Deno.TcpConn>;

/** Options of a connection. */
export interface ReachableOptions {
  port: number;
  signal: AbortSignal;
  connect?: Connect;
}

/** A connection, and when its first packet was sent, in milliseconds of `performance.now()`. */
export interface TimedConnection {
  connection: Deno.TcpConn;
  startedAtMs: number;
}

/**
 * Connects to the first address that there is a route to.
 *
 * @throws {Error} When the connection was refused or reset, or there is no route to any of them.
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
 * Connects with a signal and never leaks a connection.
 *
 * When the signal aborts just after the kernel has connected, `Deno.connect` checks it once more and
 * drops the connection without closing it. The signal that it gets here does not throw then.
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

/** Options of {@linkcode connectHappyEyeballs}. */
export interface HappyEyeballsOptions {
  port: number;
  signal: AbortSignal;
  connect?: Connect | undefined;
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
  options: HappyEyeballsOptions,
): Promise<Deno.TcpConn> {
  const { port, signal, connect = Deno.connect } = options;
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
    connectAbortable(hostname, { port, signal: over.signal, connect }).then(win, lose);
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
