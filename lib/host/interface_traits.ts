import type { Host, LinkKind } from "./host.ts";

/** The machine's own `/proc`; `HOST_PROC` names another one. */
export const OWN_PROC = "/proc";

/** Folder of the measured network: in another machine's `/proc`, `net` still shows the reader's own. */
export function networkFolder(proc: string): string {
  return proc === OWN_PROC ? `${proc}/net` : `${proc}/1/net`;
}

/** Properties of a network interface, by netlink, or else from `/sys/class/net/NAME`. */
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
  deviceSlave: boolean;
  /** It is a port of a switch whose uplink is an interface of its own. */
  switchPort: boolean;
  /** It is a port of a bridge. */
  bridgePort: boolean;
  /** The bridge, bond or other interface that it belongs to, where that could be asked. */
  master?: string | undefined;
  /** Interface index: stays when the interface is renamed, and is not reused. */
  index?: number | undefined;
}

/** Of an interface of which nothing is known. */
export const NO_TRAITS: InterfaceTraits = {
  ...{ device: false, bond: false, bondSlave: false, bridge: false, tunnel: false, stacked: false },
  ...{ deviceSlave: false, switchPort: false, bridgePort: false },
};

/** `DEVTYPE` of tunnels of the kernel, and of a switch's port. */
const TUNNEL_TYPES = /^(?:wireguard|vxlan|geneve|bareudp|gtp|l2tpeth|amt)$/;
const SWITCH_PORT = "dsa";

/** The properties of an interface by what netlink tells of it. */
export function traitsOfLink(link: LinkKind, index: number): InterfaceTraits {
  const { kind, master, masterKind, hasDevice } = link;
  return {
    ...NO_TRAITS,
    device: hasDevice,
    bond: kind === "bond",
    bondSlave: masterKind === "bond",
    bridge: kind === "bridge",
    deviceSlave: master !== undefined && masterKind === undefined,
    switchPort: kind === SWITCH_PORT || (hasDevice && link.isStacked),
    bridgePort: masterKind === "bridge",
    master,
    index,
  };
}

/** A host with the files that tell the properties of an interface. */
export type TraitsHost = Pick<Host, "roots" | "exists" | "list" | "readLink" | "readText">;

/**
 * The properties of an interface where netlink tells none: that of another network, as of `HOST_PROC`.
 * `undefined` without its folder in `/sys`.
 */
export function readInterfaceTraits(host: TraitsHost, name: string): InterfaceTraits | undefined {
  // The kernel allows no such names, but not every /proc/net/dev is the kernel's own.
  if (name === "" || name === "." || name === ".." || name.includes("/")) return undefined;
  const folder = `${host.roots.sys}/class/net/${name}`;
  const entries = host.list(folder);
  if (entries === undefined) return undefined;
  const uevent = host.readText(`${folder}/uevent`) ?? "";
  const type = /^DEVTYPE=(.+)$/m.exec(uevent)?.[1] ?? "";
  return {
    device: entries.includes("device"),
    bond: entries.includes("bonding"),
    bondSlave: entries.includes("bonding_slave"),
    deviceSlave: host.exists(`${folder}/master/device`),
    bridge: entries.includes("bridge"),
    tunnel: entries.includes("tun_flags") || TUNNEL_TYPES.test(type),
    stacked: entries.some((entry) => entry.startsWith("lower_")),
    switchPort: type === SWITCH_PORT,
    bridgePort: entries.includes("brport"),
    master: host.readLink(`${folder}/master`)?.split("/").at(-1),
    index: Number(/^IFINDEX=([1-9]\d{0,9})$/m.exec(uevent)?.[1]) || undefined,
  };
}
