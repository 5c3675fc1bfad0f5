import { connectFirstReachable, type ReachableOptions } from "../net/happy_eyeballs.ts";

/** Milliseconds of a TCP handshake. @throws {Error} When it failed. */
export async function probeTcp(
  addresses: readonly string[],
  options: ReachableOptions,
): Promise<number> {
  const { connection, startedAtMs } = await connectFirstReachable(addresses, options);
  const elapsedMs = performance.now() - startedAtMs;
  connection.close();
  return elapsedMs;
}
