import type { Mount } from "./mountinfo.ts";

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
export function cgroupFolders({ version, path }: MemoryCgroup, mounts: readonly Mount[]): string[] {
  const type = version === 1 ? "cgroup" : "cgroup2";
  return mounts.filter((mount) => mount.type === type).flatMap(({ root, mountPoint }) => {
    const below = pathBelow(path, root);
    return below === undefined ? [] : withParents(mountPoint, below);
  });
}

/** A path that leaves the namespace (`/..`), or that the mount does not show, leads nowhere. */
function pathBelow(path: string, root: string): string | undefined {
  if (`${path}/`.includes("/../") || root.includes("/../")) return undefined;
  const folder = root === "/" ? "" : root;
  return path === root || path.startsWith(`${folder}/`) ? path.slice(folder.length) : undefined;
}

function withParents(top: string, below: string): string[] {
  const names = below.split("/").filter((name) => name !== "");
  return Array.from(
    { length: names.length + 1 },
    (_, dropped) => [top, ...names.slice(0, names.length - dropped)].join("/"),
  );
}
