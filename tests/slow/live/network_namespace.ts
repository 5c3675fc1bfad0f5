import { outputOf, succeeds } from "./command.ts";

/** What an interface has moved, in bytes, in the words of `ip -s -j link`. */
export interface Moved {
  readonly sent: number;
  readonly received: number;
}

/** A network of its own, which is silent unless somebody sends; it is gone with all that is in it. */
export class NetworkNamespace implements Disposable {
  readonly name: string = `live-${crypto.randomUUID().slice(0, 8)}`;
  /** The words that start a command within. */
  readonly enter: readonly string[] = ["ip", "netns", "exec", this.name];

  /** @throws {Error} When this machine or this user can't have one. */
  constructor() {
    outputOf("ip", "netns", "add", this.name);
    try {
      // Neighbour discovery speaks at moments of its own.
      this.run(
        "for all in all default; do echo 1 >/proc/sys/net/ipv6/conf/$all/disable_ipv6; done",
      );
      this.ip("link", "set", "lo", "up");
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** @throws {Error} When `ip` refuses. */
  ip(...args: readonly string[]): string {
    return outputOf("ip", "-n", this.name, ...args);
  }

  /** Whether `ip` takes it: not every kernel has every kind of interface. */
  takes(...args: readonly string[]): boolean {
    return succeeds("ip", "-n", this.name, ...args);
  }

  /** Runs a line of shell within; the interface tree is the namespace's own there. */
  run(line: string): string {
    const [command = "", ...words] = [...this.enter, "bash", "-c", line];
    return outputOf(command, ...words);
  }

  /** Gives an interface an address, and neighbour 9 of the same network, who is not there and never answers. */
  settle(name: string, network: string, host: number): void {
    this.ip("addr", "add", `${network}.${host}/24`, "dev", name);
    this.ip("link", "set", name, "up");
    this.ip("neigh", "add", `${network}.9`, "lladdr", "02:00:00:00:00:09", "dev", name);
  }

  /** Renames an interface, which older kernels refuse while it is up; its neighbour is as before. */
  rename(from: string, to: string): void {
    if (this.takes("link", "set", from, "name", to)) return;
    const [neighbour = ""] = this.ip("neigh", "show", "dev", from, "nud", "permanent").split(" ");
    this.ip("link", "set", from, "down");
    this.ip("link", "set", from, "name", to);
    this.ip("link", "set", to, "up");
    if (neighbour !== "") {
      this.ip("neigh", "replace", neighbour, "lladdr", "02:00:00:00:00:09", "dev", to);
    }
  }

  /** Sends datagrams of 1,000 bytes. */
  send(count: number, address: string): void {
    this.run(
      `printf -v text %01000d 0; for ((i = 0; i < ${count}; i++)); do printf %s $text; done >/dev/udp/${address}/9`,
    );
  }

  /** What the kernel says that each interface has moved. */
  moved(): Map<string, Moved> {
    const links: { ifname: string; stats64: Record<"rx" | "tx", { bytes: number }> }[] = JSON.parse(
      this.ip("-s", "-j", "link"),
    );
    return new Map(links.map(({ ifname, stats64 }) => [
      ifname,
      { sent: stats64.tx.bytes, received: stats64.rx.bytes },
    ]));
  }

  /** What these interfaces have moved together; one that is not there has moved nothing. */
  movedBy(...names: readonly string[]): Moved {
    const moved = this.moved();
    const sum = { sent: 0, received: 0 };
    for (const name of names) {
      sum.sent += moved.get(name)?.sent ?? 0;
      sum.received += moved.get(name)?.received ?? 0;
    }
    return sum;
  }

  [Symbol.dispose](): void {
    succeeds("ip", "netns", "del", this.name);
  }
}

/**
 * The first three numbers of a network that nobody else has laid a cable of to this machine at the same
 * time: it is one of 32,768.
 */
export function randomNet(): string {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint8Array(2));
  return `10.${128 + high % 128}.${low}`;
}

/** Lays a cable between two networks, or to this machine's own, where `to` is absent. */
export function layCable(
  from: { namespace: NetworkNamespace; name: string },
  to: { namespace?: NetworkNamespace; name: string },
): void {
  const place = ["netns", to.namespace?.name ?? String(Deno.pid)];
  from.namespace.ip(
    ...["link", "add", from.name, "type", "veth", "peer", "name", to.name, ...place],
  );
}

/** Whether networks can be made here; asked by making one. */
export function canMakeNetworks(): boolean {
  try {
    using here = new NetworkNamespace();
    using there = new NetworkNamespace();
    layCable({ namespace: here, name: "eth0" }, { namespace: there, name: "eth0" });
    return here.takes("link", "add", "br0", "type", "bridge") && here.moved().has("br0");
  } catch {
    return false;
  }
}
