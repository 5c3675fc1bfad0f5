import { type Connect, connectOrClose } from "./dial.ts";

/** How a race is run. */
export interface RaceOptions {
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
export async function race(
  addresses: readonly string[],
  options: RaceOptions,
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
    connectOrClose(hostname, { port, signal: over.signal, connect }).then(win, lose);
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
