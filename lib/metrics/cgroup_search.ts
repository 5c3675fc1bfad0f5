import type { Host } from "../host/host.ts";

type Files = Pick<Host, "roots" | "readText" | "readLink" | "list">;

/** Folders that are looked into: a machine with more has more than a thousand containers. */
const MAX_FOLDERS = 5_000;

/** Files of the kernel's, and no cgroup, by the start of their names. */
const CONTROL_FILE =
  /^(?:cgroup|cpu|cpuacct|cpuset|memory|io|blkio|pids|hugetlb|rdma|misc|dmem|devices|freezer|net_cls|net_prio|irq)\.|^(?:tasks|notify_on_release|release_agent)$/;

/** How many levels a mount's root lies above that of the cgroup namespace: 2 for `/../..`. */
export function levelsAbove(root: string): number {
  return /^(?:\/\.\.)+$/.test(root) ? root.length / "/..".length : 0;
}

/**
 * Finds the root of this process's cgroup namespace below a mount of its host's, of which only the number
 * of levels in between is known: by the process itself, which is in the cgroup of the path from there.
 *
 * Returns the path from the mount point, such as `/pod/container`.
 */
export function findNamespaceRoot(
  host: Files,
  { mountPoint, levels, path }: { mountPoint: string; levels: number; path: string },
): string | undefined {
  const pid = host.readLink(`${host.roots.proc}/self`) ?? "";
  let looked = 0;
  let roots = [""];
  for (let level = 0; level < levels; level++) {
    roots = roots.flatMap((root) => {
      if (++looked > MAX_FOLDERS) return [];
      const names = host.list(`${mountPoint}${root}`) ?? [];
      return names.filter((name) => !CONTROL_FILE.test(name)).map((name) => `${root}/${name}`);
    });
  }
  const below = path === "/" ? "" : path;
  return roots.slice(0, MAX_FOLDERS).find((root) =>
    host.readText(`${mountPoint}${root}${below}/cgroup.procs`)?.split("\n").includes(pid)
  );
}
