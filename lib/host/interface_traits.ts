import type { Host } from "./host.ts";

/** Properties of a network interface, from `/sys/class/net/NAME`. */
export interface InterfaceTraits {
  /** It has a device: a card, a modem, a virtual machine's adapter. */
  device: boolean;
  /** It bonds other interfaces. */
  bond: boolean;
  /** It is part of a bond. */
  bondSlave: boolean;
  bridge: boolean;
  /** A program reads its frames (tun, tap), or another interface carries them (WireGuard, VXLAN). */
  tunnel: boolean;
  /** It is stacked on another interface of this machine: VLAN, macvlan, bridge, bond. */
  stacked: boolean;
  /** Its master has a device and counts its traffic, as accelerated adapters of virtual machines do. */
  deviceSlave?: boolean;
  /** It is a port of a switch whose uplink is an interface of its own. */
  switchPort?: boolean;
  /** It is a port of a bridge. */
  bridgePort?: boolean;
  /** The bridge, bond or other interface that it belongs to, where that could be asked. */
  master?: string;
  /** Interface index: stays when the interface is renamed, and is not reused. */
  index?: number;
}

const TUNNEL_TYPES: ReadonlySet<string> = new Set([
  ...["wireguard", "vxlan", "geneve", "bareudp", "gtp", "l2tpeth", "amt"],
]);

/** Whether `DEVTYPE` of an interface's `uevent` names a tunnel of the kernel. */
export function isTunnelType(type: string | undefined): boolean {
  return type !== undefined && TUNNEL_TYPES.has(type);
}

/** Parses `IFINDEX` of an interface's `uevent`; `undefined` when it is not a positive number. */
export function parseInterfaceIndex(text: string | undefined): number | undefined {
  return /^[1-9]\d{0,9}$/.test(text?.trim() ?? "") ? Number(text) : undefined;
}

/**
 * Reads the properties of an interface from `/sys/class/net/NAME`.
 *
 * `undefined` when there is no such folder: no `/sys` in this container, or the interface of another
 * network namespace.
 */
export function readInterfaceTraits(
  host: Pick<Host, "roots" | "exists" | "list" | "readLink" | "readText">,
  name: string,
): InterfaceTraits | undefined {
  // The kernel allows no such names, but not every /proc/net/dev is the kernel's own.
  if (name === "" || name === "." || name === ".." || name.includes("/")) return undefined;
  const folder = `${host.roots.sys}/class/net/${name}`;
  const entries = host.list(folder);
  if (entries === undefined) return undefined;
  const lower = entries.filter((entry) => entry.startsWith("lower_"));
  const uevent = host.readText(`${folder}/uevent`) ?? "";
  const type = /^DEVTYPE=(.+)$/m.exec(uevent)?.[1];
  const master = host.readLink(`${folder}/master`)?.split("/").at(-1);
  return {
    device: entries.includes("device"),
    bond: entries.includes("bonding"),
    bondSlave: entries.includes("bonding_slave"),
    deviceSlave: host.exists(`${folder}/master/device`),
    bridge: entries.includes("bridge"),
    tunnel: entries.includes("tun_flags") || isTunnelType(type),
    stacked: lower.length > 0,
    switchPort: lower.some((entry) => host.exists(`${folder}/${entry}/dsa`)),
    bridgePort: entries.includes("brport"),
    master: master || undefined,
    index: parseInterfaceIndex(/^IFINDEX=(.+)$/m.exec(uevent)?.[1]),
  };
}
