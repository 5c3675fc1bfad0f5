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
export async function reachFirst<T>(
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
