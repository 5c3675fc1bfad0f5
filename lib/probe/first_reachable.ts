import { errorCode } from "../attempt.ts";
import { connectAbortable, type TcpOptions } from "../net/happy_eyeballs.ts";

/** This machine has no route to an address, so nothing was sent. */
export class UnreachableError extends Error {}

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

/**
 * Connects to the first address that there is a route to; its first packet was sent at `startedAtMs`
 * of `performance.now()`.
 *
 * @throws {Error} When the connection was refused or reset, or there is no route to any of them.
 */
export async function connectFirstReachable(
  addresses: readonly string[],
  options: TcpOptions,
): Promise<{ connection: Deno.TcpConn; startedAtMs: number }> {
  const { port } = options;
  return await firstReachable(addresses, async (hostname) => {
    const startedAtMs = performance.now();
    try {
      return { connection: await connectAbortable(hostname, options), startedAtMs };
    } catch (cause) {
      throw NO_ROUTE.has(errorCode(cause))
        ? new UnreachableError(`Cannot reach ${hostname}`, { cause })
        : new Error(`Cannot connect to ${hostname} port ${port}`, { cause });
    }
  });
}

/** Milliseconds of a TCP handshake. @throws {Error} When it failed. */
export async function probeTcp(
  addresses: readonly string[],
  options: TcpOptions,
): Promise<number> {
  const { connection, startedAtMs } = await connectFirstReachable(addresses, options);
  const elapsedMs = performance.now() - startedAtMs;
  connection.close();
  return elapsedMs;
}
