import type { TcpOptions } from "../net/happy_eyeballs.ts";
import { connectFirstReachable } from "./first_reachable.ts";

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
