import { replaced } from "../replaced.ts";

/** Opens a TCP connection, as `Deno.connect` does. */
export type Connect = (
  options: { hostname: string; port: number; signal: AbortSignal },
) => Promise<Deno.TcpConn>;

/** The runtime's own, also while another one is in its place. */
export const realConnect: Connect = Deno.connect;

/** Replaces `Deno.connect` until the result is disposed of. */
export function fakeConnect(connect: Connect): Disposable {
  return replaced<object>(Deno, { connect });
}
