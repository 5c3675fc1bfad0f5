import { attempt } from "../attempt.ts";
import { parseStatsMessage } from "../parse/netlink.ts";
import type { TrafficBytes } from "../types.ts";
import type { InterfaceTraits, Links } from "./host.ts";
import { SWITCH_PORT } from "./interface_traits.ts";
import type { Netlink } from "./netlink.ts";

const RTM_GETSTATS = 94;
/** `IFLA_STATS_LINK_64` as a bit. */
const LINK_STATS = 1;

const IFF_LOOPBACK = 0x8;

/** The interfaces of this process's own network. */
export class InterfaceLinks implements Links {
  readonly #netlink: Netlink;
  readonly changes: () => ReadonlySet<number> | undefined;

  /** @throws {Error} When the kernel does not tell of changes. */
  constructor(netlink: Netlink) {
    this.#netlink = netlink;
    this.changes = netlink.followLinks();
  }

  find(name: string): number | undefined {
    return this.#netlink.link(name)?.index;
  }

  counters(index: number): TrafficBytes | undefined {
    const answer = this.#netlink.ask(RTM_GETSTATS, [0, index, LINK_STATS]);
    const stats = answer && parseStatsMessage(answer);
    if (stats?.index !== index) return undefined;
    return { receivedBytes: stats.receivedBytes, sentBytes: stats.sentBytes };
  }

  traits(index: number): (InterfaceTraits & { name: string }) | undefined {
    const link = this.#netlink.link(index);
    if (link?.index !== index) return undefined;
    const master = link.master === undefined ? undefined : this.#netlink.link(link.master);
    const isLoopback = (link.flags & IFF_LOOPBACK) !== 0;
    const hasDevice = link.hasDevice && !isLoopback;
    const isStacked = link.over !== undefined;
    return {
      name: link.name,
      index,
      // Of a port of a switch, which is over its uplink, older kernels tell no kind.
      kind: hasDevice && isStacked ? SWITCH_PORT : link.kind,
      ...{ hasDevice, isLoopback, isStacked },
      isBridgePort: master?.kind === "bridge",
      isDeviceSlave: master !== undefined && master.kind === undefined,
    };
  }
}

/**
 * The interfaces in the given `net/dev`, if that is of this process's own network; `undefined` if not,
 * or where the kernel does not tell.
 */
export function openInterfaceLinks(netDev: string, netlink: Netlink): Links | undefined {
  // The kernel's number of the file is another one in each network, whichever `/proc` it is read from.
  const inode = (path: string) => attempt(() => Deno.statSync(path).ino) ?? undefined;
  const own = inode("/proc/self/net/dev");
  if (own === undefined || inode(netDev) !== own) return undefined;
  return attempt(() => new InterfaceLinks(netlink));
}
