import { parseBondSlaves } from "../parse/bonding.ts";
import { parseVlanNames } from "../parse/vlan_config.ts";
import type { Host, LinkKind } from "./host.ts";

/** The machine's own `/proc`; `HOST_PROC` names another one. */
export const OWN_PROC = "/proc";

/** Folder of the measured network: in another machine's `/proc`, `net` still shows the reader's own. */
export function networkFolder(proc: string): string {
  return proc === OWN_PROC ? `${proc}/net` : `${proc}/1/net`;
}

/** Properties of a network interface, from `/sys/class/net/NAME` or files in `/proc/net`. */
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
  /** It shows the frames of a radio that another interface uses. */
  monitor?: boolean;
  /** It stands for a function of a card, whose bytes pass a port of the card. */
  representor?: boolean;
  /** It is a port of a bridge. */
  bridgePort?: boolean;
  /** The bridge, bond or other interface that it belongs to, where that could be asked. */
  master?: string;
  /** What may carry it, if it is a PPP link. */
  ppp?: PppCarriers | undefined;
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

/** What may carry a PPP link, which the kernel does not tell. */
export interface PppCarriers {
  /** Sessions of PPPoE and L2TP, which run inside other interfaces, of all links together. */
  sessions: number;
  /** Its `pppd` was told to use a serial port, or is controlled by one. */
  serial: boolean;
}

/** `DEVTYPE` of a PPP link. */
export const PPP_TYPE = "ppp";

/** Where `pppd` leaves its number, before version 2.5 and since. */
const PPPD_FOLDERS = ["/var/run", "/var/run/pppd"];

/** Serial ports among the words of a `pppd`: of chips, modems, multiplexers and Bluetooth. */
const SERIAL_PORT = /tty(?:S|AMA|USB|ACM|HS)\d|gsmtty\d|rfcomm\d|wwan\dat\d/;

/** Major numbers of terminals that are no serial ports: pseudo terminals and `/dev/tty`; 0 for none. */
const PSEUDO_TERMINALS: readonly number[] = [0, 5, 136, 137, 138, 139, 140, 141, 142, 143];

/** `ARPHRD_IEEE80211` and the two after it, which have a header of the radio before each frame. */
const MONITORS: readonly number[] = [801, 802, 803];

/** Whether an interface of this hardware type shows the frames of a radio. */
export function isMonitorType(type: number): boolean {
  return MONITORS.includes(type);
}

/** Ports of a card's functions, with the controller's number before it where there are several. */
const FUNCTION_PORT = /^(?:c\d+)?pf\d+(?:(?:vf|sf)\d+|hpf)?$/;

/** Whether the port of a card that an interface is, such as `p0` or `pf0vf1`, is a function's. */
export function isFunctionPort(port: string | undefined): boolean {
  return FUNCTION_PORT.test(port?.trim() ?? "");
}

/** `DEVTYPE` of a switch's port; kernels before 5.10 do not link it with its uplink. */
export const SWITCH_PORT_TYPE = "dsa";

/** Parses `IFINDEX` of an interface's `uevent`; `undefined` when it is not a positive number. */
export function parseInterfaceIndex(text: string | undefined): number | undefined {
  return /^[1-9]\d{0,9}$/.test(text?.trim() ?? "") ? Number(text) : undefined;
}

/** A host with the files that tell the properties of an interface. */
export type TraitsHost = Pick<Host, "roots" | "exists" | "list" | "readLink" | "readText">;

/**
 * Reads the properties of an interface from `/sys/class/net/NAME`. Where that has no such folder, or
 * may be another machine's, `/proc/net` tells of bonds and VLANs.
 *
 * `undefined` when neither knows it: no `/sys` in this container, or the interface of another network
 * namespace.
 */
export function readInterfaceTraits(host: TraitsHost, name: string): InterfaceTraits | undefined {
  // The kernel allows no such names, but not every /proc/net/dev is the kernel's own.
  if (name === "" || name === "." || name === ".." || name.includes("/")) return undefined;
  const traits = readSysTraits(host, name);
  if (traits !== undefined && host.roots.proc === OWN_PROC) return traits;
  const links = readProcTraits(host, name);
  return links === undefined ? traits : { ...(traits ?? NO_TRAITS), ...links };
}

/** Of an interface of which nothing is known. */
export const NO_TRAITS: InterfaceTraits = {
  device: false,
  bond: false,
  bondSlave: false,
  deviceSlave: false,
  bridge: false,
  tunnel: false,
  stacked: false,
  switchPort: false,
  monitor: false,
  representor: false,
  bridgePort: false,
  master: undefined,
  ppp: undefined,
  index: undefined,
};

/** Kinds that have no device and no files of which more could be learnt than netlink tells. */
const SOFTWARE_KINDS: ReadonlySet<string> = new Set([
  ...["veth", "netkit", "bridge", "bond", "dummy", "ifb", "vlan", "macvlan", "macvtap", "ipvlan"],
  ...["ipvtap", "tun", "wireguard", "vxlan", "geneve", "gre", "gretap", "ipip", "sit", "vrf"],
]);

/** The properties of an interface of these kinds; `undefined` for others, whose files are to be read. */
export function traitsOfLink(link: LinkKind, index: number): InterfaceTraits | undefined {
  const { kind = "", master, memberKind } = link;
  const isUnclear = master !== undefined && (master === "" || memberKind === undefined);
  if (!SOFTWARE_KINDS.has(kind) || isUnclear) return undefined;
  return {
    ...NO_TRAITS,
    bond: kind === "bond",
    bondSlave: memberKind === "bond",
    bridge: kind === "bridge",
    bridgePort: memberKind === "bridge",
    master,
    index,
  };
}

/** Whether it is a bond, a bond's slave or a VLAN; `undefined` when it is none of them. */
function readProcTraits(host: TraitsHost, name: string): Partial<InterfaceTraits> | undefined {
  const folder = networkFolder(host.roots.proc);
  const bonds = host.list(`${folder}/bonding`) ?? [];
  if (bonds.includes(name)) return { bond: true };
  const slaves = (bond: string) =>
    parseBondSlaves(host.readText(`${folder}/bonding/${bond}`) ?? "");
  const master = bonds.find((bond) => slaves(bond).includes(name));
  if (master !== undefined) return { bondSlave: true, master };
  const isVlan = parseVlanNames(host.readText(`${folder}/vlan/config`) ?? "").includes(name);
  return isVlan ? { stacked: true } : undefined;
}

function readSysTraits(host: TraitsHost, name: string): InterfaceTraits | undefined {
  const folder = `${host.roots.sys}/class/net/${name}`;
  const entries = host.list(folder);
  if (entries === undefined) return undefined;
  const lower = entries.filter((entry) => entry.startsWith("lower_"));
  const uevent = host.readText(`${folder}/uevent`) ?? "";
  const type = /^DEVTYPE=(.+)$/m.exec(uevent)?.[1];
  const master = host.readLink(`${folder}/master`)?.split("/").at(-1);
  const device = entries.includes("device");
  return {
    device,
    bond: entries.includes("bonding"),
    bondSlave: entries.includes("bonding_slave"),
    deviceSlave: host.exists(`${folder}/master/device`),
    bridge: entries.includes("bridge"),
    tunnel: entries.includes("tun_flags") || isTunnelType(type),
    stacked: lower.length > 0,
    switchPort: type === SWITCH_PORT_TYPE ||
      lower.some((entry) => host.exists(`${folder}/${entry}/dsa`)),
    monitor: device && isMonitorType(Number(host.readText(`${folder}/type`))),
    representor: device && isFunctionPort(host.readText(`${folder}/phys_port_name`)),
    bridgePort: entries.includes("brport"),
    master: master || undefined,
    ppp: type === PPP_TYPE ? readPppCarriers(host, name) : undefined,
    index: parseInterfaceIndex(/^IFINDEX=(.+)$/m.exec(uevent)?.[1]),
  };
}

function readPppCarriers(host: TraitsHost, name: string): PppCarriers {
  const folder = networkFolder(host.roots.proc);
  const count = (file: string, session: RegExp) =>
    host.readText(`${folder}/${file}`)?.match(session)?.length ?? 0;
  return {
    // After a line of titles each is a line that begins with its number.
    sessions: count("pppoe", /^[0-9A-F]{8}\s/gm) + count("pppol2tp", /^\s*SESSION\s/gm),
    serial: PPPD_FOLDERS.some((folder) => isOnSerialPort(host, `${folder}/${name}.pid`)),
  };
}

/** Whether the `pppd` that has left its number in a file is on a serial port, on this machine. */
function isOnSerialPort(host: TraitsHost, pidFile: string): boolean {
  const [pid = ""] = host.readText(pidFile)?.split("\n") ?? [];
  if (host.roots.proc !== OWN_PROC || !/^\d+$/.test(pid)) return false;
  const stat = host.readText(`${OWN_PROC}/${pid}/stat`) ?? "";
  const terminal = /^\d+ \(pppd\) \S \d+ \d+ \d+ (\d+) /.exec(stat)?.[1];
  if (terminal === undefined) return false;
  const [major, minor] = [Number(terminal) >> 8 & 0xfff, Number(terminal) & 0xff];
  const isConsole = major === 4 && minor < 64;
  return (!PSEUDO_TERMINALS.includes(major) && !isConsole) ||
    SERIAL_PORT.test(host.readText(`${OWN_PROC}/${pid}/cmdline`) ?? "");
}
