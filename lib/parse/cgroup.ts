import type { Mount } from "./mountinfo.ts";
import { decimalAt, lineAt } from "./scan.ts";

/** The control group that a process's memory is counted in. */
export interface MemoryCgroup {
  /** Of the interface: 1 has a hierarchy of its own for memory, 2 one for everything. */
  version: 1 | 2;
  /** From the hierarchy's root, `/` being the root itself or that of the cgroup namespace. */
  path: string;
}

/**
 * Reads `/proc/PID/cgroup`; `undefined` when no line tells where memory is counted.
 *
 * Lines that make no sense are passed over: names of hierarchies may hold anything.
 */
export function parseMemoryCgroup(text: string): MemoryCgroup | undefined {
  let unified: MemoryCgroup | undefined;
  for (const line of text.split("\n")) {
    // ID:CONTROLLERS:PATH, and the path may hold colons too.
    const [, id, controllers = "", path = ""] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers.split(",").includes("memory")) return { version: 1, path };
    if (id === "0" && controllers === "") unified = { version: 2, path };
  }
  return unified;
}

/**
 * Where a control group and those around it may be looked at, the innermost first, by the mounts
 * that are seen; for version 1 also in the hierarchies of other controllers, which lack its files.
 */
export function cgroupMountFolders(
  { version, path }: MemoryCgroup,
  mounts: readonly Mount[],
): string[] {
  const type = version === 1 ? "cgroup" : "cgroup2";
  return mounts.filter((mount) => mount.type === type).flatMap(({ root, mountPoint }) => {
    const below = relativePath(path, root);
    return below === undefined ? [] : parentFolders(mountPoint, below);
  });
}

/** A path that leaves the namespace (`/..`), or that the mount does not show, leads nowhere. */
function relativePath(path: string, root: string): string | undefined {
  if (`${path}/`.includes("/../") || root.includes("/../")) return undefined;
  const folder = root === "/" ? "" : root;
  return path === root || path.startsWith(`${folder}/`) ? path.slice(folder.length) : undefined;
}

function parentFolders(top: string, below: string): string[] {
  const names = below.split("/").filter((name) => name !== "");
  return Array.from(
    { length: names.length + 1 },
    (_, dropped) => [top, ...names.slice(0, names.length - dropped)].join("/"),
  );
}

/**
 * Reads a control group's limit in bytes, `memory.max` or `memory.limit_in_bytes`; `undefined`
 * when there is none.
 *
 * Version 2 writes `max` for none, version 1 the largest number of whole pages, which is far beyond
 * what can be told exactly.
 *
 * @throws {SyntaxError} When it is neither; the message quotes it.
 */
export function parseMemoryLimit(text: string): number | undefined {
  const word = text.trimEnd();
  if (word === "max") return undefined;
  if (/^\d{1,20}$/.test(word)) return decimalAt(word, 0);
  throw new SyntaxError(`Cannot parse a memory limit: no bytes in "${lineAt(text, 0)}"`);
}

/** What a control group's memory is made of, as far as it can be given back, in bytes. */
export interface CgroupMemoryStat {
  /** File pages that were not used of late. */
  inactiveFileBytes: number;
  activeFileBytes: number;
  /** Kernel objects that go when memory gets short; version 1 does not tell. */
  reclaimableBytes: number | undefined;
  /** What lies in swap; only version 1 tells, and only where swap is counted. */
  swapBytes: number | undefined;
}

/**
 * Reads a control group's `memory.stat`, with all groups within it; version 1 calls those sums
 * `total_…`.
 *
 * @throws {SyntaxError} When a counter of file pages is missing or a counter is no number; the
 * message quotes the line.
 */
export function parseMemoryStat(text: string, version: 1 | 2): CgroupMemoryStat {
  const prefix = version === 1 ? "total_" : "";
  return {
    inactiveFileBytes: requiredCounter(text, `${prefix}inactive_file`),
    activeFileBytes: requiredCounter(text, `${prefix}active_file`),
    reclaimableBytes: optionalCounter(text, "slab_reclaimable"),
    swapBytes: optionalCounter(text, "total_swap"),
  };
}

function requiredCounter(text: string, key: string): number {
  const value = optionalCounter(text, key);
  if (value === undefined) {
    throw new SyntaxError(`Cannot parse memory.stat: no "${key}" after "${lineAt(text, 0)}"`);
  }
  return value;
}

function optionalCounter(text: string, key: string): number | undefined {
  const sign = `\n${key} `;
  const at = text.startsWith(sign.slice(1)) ? 0 : text.indexOf(sign) + 1;
  if (at === 0 && !text.startsWith(sign.slice(1))) return undefined;
  const bytes = decimalAt(text, at + key.length + 1);
  if (bytes === undefined) {
    throw new SyntaxError(`Cannot parse memory.stat: no bytes in "${lineAt(text, at)}"`);
  }
  return bytes;
}
