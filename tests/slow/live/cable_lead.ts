import { outputOf, succeeds } from "./command.ts";
import { layCable, type NetworkNamespace, randomNet } from "./network_namespace.ts";

/** A cable from a network to a panel on this machine's loopback; it is pulled out afterwards. */
export interface CableLead extends AsyncDisposable {
  /** By which the panel is reached within. */
  readonly url: string;
  /** An address at the cable's end, which nobody has and which never answers. */
  readonly nobody: string;
  /** A second address for within. */
  readonly other: string;
  /** Nobody is told: what is sent from now on is lost. */
  pull(): void;
  plug(): void;
}

/** Lays one, as an interface of that name within. */
export function leadToPanel(
  namespace: NetworkNamespace,
  { name, port, net = randomNet() }: { name: string; port: number; net?: string },
): CableLead {
  const near = `kl${namespace.name.slice(-8)}`;
  layCable({ namespace, name }, { name: near });
  namespace.settle(name, net, 2);
  const hostname = `${net}.1`;
  outputOf("ip", "addr", "add", `${hostname}/24`, "dev", near);
  outputOf("ip", "link", "set", near, "addrgenmode", "none", "up");
  const listener = Deno.listen({ hostname, port: 0 });
  const leading = lead(listener, port).catch(() => {});
  return {
    url: `http://${hostname}:${listener.addr.port}`,
    nobody: `${net}.9`,
    other: `${net}.3`,
    pull: () => void outputOf("ip", "link", "set", near, "down"),
    plug: () => void outputOf("ip", "link", "set", near, "up"),
    async [Symbol.asyncDispose]() {
      listener.close();
      await leading;
      succeeds("ip", "link", "del", near);
    },
  };
}

/** Leads from the cable's end to the panel. */
async function lead(listener: Deno.Listener, port: number): Promise<void> {
  for await (const client of listener) {
    const server = await Deno.connect({ hostname: "127.0.0.1", port });
    client.readable.pipeTo(server.writable).catch(() => {});
    server.readable.pipeTo(client.writable).catch(() => {});
  }
}
