/**
 * The interface to the machine: files, file systems, interfaces.
 *
 * Code takes a `Pick` of it, so that a test provides only the methods in use.
 *
 * @module
 */

import type { TrafficBytes } from "../types.ts";

/** A file that is opened once and read repeatedly, also after the process has been sealed. */
export interface Source {
  /**
   * Reads the current text; `undefined` when there is no such file, unless it is required.
   *
   * @throws {Error} When it can't be read (`Cannot read …`).
   */
  read(): string | undefined;
}

/** The space of a file system, as `statfs` gives it. */
export interface FileSystemUse {
  blockSizeBytes: number;
  blocks: number;
  /** Free to the superuser, in blocks. */
  freeBlocks: number;
}

/** An address of an interface, as the kernel lists it. */
export interface InterfaceAddress {
  name: string;
  family: "IPv4" | "IPv6";
  address: string;
  /** Addresses that all machines of its network answer to, where the kernel does not tell routes. */
  broadcasts?: readonly string[];
  /**
   * By the kernel, where that can be asked: a temporary one changes, an unusable one is deprecated, a
   * duplicate or not yet known to be none.
   */
  preference?: "usual" | "temporary" | "unusable";
}

/** Who gets what is sent to an address: this machine itself, or all of a network. */
export type RouteScope = "local" | "broadcast" | "multicast";

/** Kind and place of a network interface, from netlink, or from `/sys` if netlink can't be asked. */
export interface InterfaceTraits {
  /** Its number: it is kept over a rename, and not given to another one. */
  readonly index?: number | undefined;
  /** The kind by which it was made, such as `vlan`; `undefined` for a device's own, and where nothing tells. */
  readonly kind?: string | undefined;
  /** A device is behind it: a card, a modem, a virtual machine's adapter. */
  readonly hasDevice?: boolean;
  readonly isLoopback?: boolean;
  /** It is on top of another interface of the same network, or both ends of a pair are in it. */
  readonly isStacked?: boolean;
  readonly isBridgePort?: boolean;
  /** Its master has a device and counts its traffic, like the accelerated adapters of virtual machines. */
  readonly isDeviceSlave?: boolean;
}

/** The network interfaces, to be asked about after the seal too. */
export interface Links {
  /** Indexes of those made, changed or removed since the last call; `undefined` where some are unknown. */
  changes(): ReadonlySet<number> | undefined;
  /** Index of the interface that has the name now. */
  find(name: string): number | undefined;
  /** Counters of an interface; `undefined` when it is gone, or where the kernel does not tell (before 4.7). */
  counters(index: number): TrafficBytes | undefined;
  /** What an interface is; `undefined` when it is gone, or where the kernel does not tell. */
  traits(index: number): (InterfaceTraits & { readonly name: string }) | undefined;
}

/** Mount points of the kernel's file systems; a container may see its host's elsewhere. */
export interface Roots {
  /** Usually `/proc`; `$HOST_PROC` in a container. */
  proc: string;
  /** Usually `/sys`. */
  sys: string;
  /** Usually `/`, for `etc/os-release` and its like. */
  root: string;
}

/** How a file is read. */
export interface OpenOptions {
  /** Reading fails where the file is missing; by default it gives `undefined`. */
  readonly isRequired?: boolean;
  /** Lines may be longer than 2 KiB. */
  readonly hasLongLines?: boolean;
  /** Has paths for `statfs`, which need be no UTF-8. */
  readonly hasPaths?: boolean;
  /** Only so many bytes are read; by default all. */
  readonly startBytes?: number;
}

/** The machine that is measured. */
export interface Host {
  /** Architecture in the runtime's words: `x86_64`, `aarch64`. */
  readonly arch: string;
  readonly roots: Roots;
  /** Opens a kernel text for repeated reading; never fails itself. */
  open(path: string, options?: OpenOptions): Source;
  /** Reads a file once; `undefined` when it is missing or can't be read. */
  readText(path: string): string | undefined;
  /** Lists the names in a folder; `undefined` when it is missing or can't be listed. */
  list(path: string): string[] | undefined;
  /** Lists the names of the folders in a folder, without links; `undefined` as with {@linkcode list}. */
  listFolders(path: string): string[] | undefined;
  /** Reads the target of a symbolic link; `undefined` when the path is no link. */
  readLink(path: string): string | undefined;
  /** Whether the path exists. */
  exists(path: string): boolean;
  /** Opens the number of hard links of a path, to be read after the seal too; `undefined` if unsupported. */
  openLinkCount(path: string): (() => number) | undefined;
  /** @throws {Error} When that fails, such as for a path that is gone. */
  statfs(path: string): FileSystemUse;
  /** The same without blocking, for file systems that may hang. */
  statfsAsync(path: string): Promise<FileSystemUse>;
  interfaceAddresses(): InterfaceAddress[];
  /** Where the kernel would send to an address, if not to another machine; `undefined` also where it does not tell. */
  routeScope?(address: string): RouteScope | undefined;
  /** The interfaces in a `net/dev`; `undefined` if that is of another network, or where the kernel does not tell. */
  openLinks(netDev: string): Links | undefined;
}
