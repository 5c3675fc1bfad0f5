import type { Mount } from "./mountinfo.ts";
import { findLine, firstLine } from "./bounded_text.ts";

/** The cgroup that accounts the memory of a process. */
export interface Cgroup {
  /** cgroup version: 1 has a hierarchy per controller, 2 a single one. */
  version: 1 | 2;
  /** Path from the root of the hierarchy or of the cgroup namespace. */
  path: string;
}

/**
 * Parses `/proc/PID/cgroup`; `undefined` when no line names a cgroup of memory.
 *
 * Malformed lines are skipped: names of hierarchies may contain anything.
 */
export function parseCgroup(text: string): Cgroup | undefined {
  let unified: Cgroup | undefined;
  for (const line of text.split("\n")) {
    // ID:CONTROLLERS:PATH, and the path may contain colons too.
    const [, id, controllers = "", path = ""] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers.split(",").includes("memory")) return { version: 1, path };
    if (id === "0" && controllers === "") unified = { version: 2, path };
  }
  return unified;
}

/**
 * Lists the folders that show a cgroup and its ancestors, innermost first.
 *
 * For version 1 this includes hierarchies of other controllers, which have no memory files.
 */
export function cgroupMountFolders(
  { version, path }: Cgroup,
  mounts: readonly Pick<Mount, "type" | "root" | "mountPoint">[],
): string[] {
  const type = version === 1 ? "cgroup" : "cgroup2";
  return mounts.filter((mount) => mount.type === type).flatMap(({ root, mountPoint }) => {
    const below = relativePath(path, root);
    return below === undefined ? [] : parentFolders(mountPoint, below);
  });
}

/** `undefined` for a path outside the namespace (`/..`) or outside the mounted subtree. */
function relativePath(path: string, root: string): string | undefined {
  if (`${path}/`.includes("/../")) return undefined;
  const folder = root === "/" ? "" : root;
  return path === root || path.startsWith(`${folder}/`) ? path.slice(folder.length) : undefined;
}

/** The folders from a path below a folder up to that one. */
function parentFolders(top: string, below: string): string[] {
  const names = below.split("/").filter((name) => name !== "");
  return Array.from(
    { length: names.length + 1 },
    (_, dropped) => [top, ...names.slice(0, names.length - dropped)].join("/"),
  );
}

/**
 * Parses a byte count of `memory.max`, `memory.limit_in_bytes` and similar files; `undefined` means
 * unlimited.
 *
 * Version 2 writes `max` for unlimited, version 1 a number beyond `Number.MAX_SAFE_INTEGER`.
 *
 * @throws {SyntaxError} When the text is neither; the message quotes it.
 */
export function parseMemoryLimit(text: string): number | undefined {
  const word = text.trimEnd();
  if (word === "max") return undefined;
  if (!/^\d{1,20}$/.test(word)) {
    throw new SyntaxError(`Cannot parse a memory limit: no bytes in "${firstLine(text)}"`);
  }
  const bytes = Number(word);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Reclaimable parts of a cgroup's memory, in bytes. */
export interface CgroupMemoryStat {
  /** File pages that were not used recently. */
  inactiveFileBytes: number;
  activeFileBytes: number;
  /** Kernel objects that are freed under memory pressure; absent in version 1. */
  reclaimableBytes: number | undefined;
  /** Swapped-out memory; only in version 1, and only where swap is accounted. */
  swapBytes: number | undefined;
}

/**
 * Parses a cgroup's `memory.stat`, descendants included (`total_…` in version 1).
 *
 * @throws {SyntaxError} When a counter of file pages is missing or a counter is not a number; the
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
    throw new SyntaxError(`Cannot parse memory.stat: no "${key}" after "${firstLine(text)}"`);
  }
  return value;
}

function optionalCounter(text: string, key: string): number | undefined {
  const line = findLine(text, `${key} `);
  if (line === undefined) return undefined;
  const bytes = Number(/ (\d+)$/.exec(line)?.[1]);
  if (!Number.isSafeInteger(bytes)) {
    throw new SyntaxError(`Cannot parse memory.stat: no bytes in "${firstLine(line)}"`);
  }
  return bytes;
}
