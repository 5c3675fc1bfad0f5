/** A TCP port that nothing listened on a moment ago, for a program that can't take port 0. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A TCP port that nothing listens on, and that no program beside gets when it takes any free one. */
export const CLOSED_PORT = 1;
