/** An address that swallows whoever knocks: no answer comes to a SYN, as behind a firewall. */
export interface BlackHole extends Disposable {
  readonly port: number;
}

/** Opens one on loopback: nobody takes the connections that wait, and no more can. */
export async function openBlackHole(): Promise<BlackHole> {
  const hostname = "127.0.0.1";
  const listener = Deno.listen({ hostname, port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  // The kernel takes one more than it was told.
  const waiting = [await Deno.connect({ hostname, port }), await Deno.connect({ hostname, port })];
  return {
    port,
    [Symbol.dispose]() {
      listener.close();
      for (const connection of waiting) connection.close();
    },
  };
}
