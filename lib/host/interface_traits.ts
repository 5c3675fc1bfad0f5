import type { Host, InterfaceTraits } from "./host.ts";

/** The machine's own `/proc`; `HOST_PROC` names another one. */
export const OWN_PROC = "/proc";

/** Folder of the measured network: in another machine's `/proc`, `net` still shows the reader's own. */
export function networkFolder(proc: string): string {
  return proc === OWN_PROC ? `${proc}/net` : `${proc}/1/net`;
}

/** Kind of an interface that is a port of a switch, whose uplink is an interface of its own. */
export const SWITCH_PORT = "dsa";

/** A host with the files that tell the properties of an interface. */
export type TraitsHost = Pick<Host, "roots" | "exists" | "list" | "readText">;

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
  const type = /^DEVTYPE=(.+)$/m.exec(uevent)?.[1];
  return {
    index: Number(/^IFINDEX=([1-9]\d{0,9})$/m.exec(uevent)?.[1]) || undefined,
    kind: entries.includes("bridge") ? "bridge" : entries.includes("tun_flags") ? "tun" : type,
    hasDevice: entries.includes("device"),
    isStacked: entries.some((entry) => entry.startsWith("lower_")),
    isBridgePort: entries.includes("brport"),
    isDeviceSlave: host.exists(`${folder}/master/device`),
  };
}
