import { connectFirstReachable, type ReachableOptions } from "../net/happy_eyeballs.ts";

/**
 * Milliseconds that a TCP handshake took.
 *
 * @throws {Error} When there was none.
 */
export async function probeTcp(
  addresses: readonly string[],
  options: ReachableOptions,
): Promise<number> {
  const { connection, startedAtMs } = await connectFirstReachable(addresses, options);
  const elapsedMs = performance.now() - startedAtMs;
  connection.close();
  return elapsedMs;
}
