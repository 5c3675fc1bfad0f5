import type { Host } from "../host/host.ts";
import type { MemoryMode } from "../types.ts";
import { Memory } from "./memory.ts";
import { openMemoryGroup } from "./memory_group.ts";

type MemoryHost = Pick<Host, "roots" | "readText" | "exists" | "readLink" | "open">;

/**
 * Opens what memory is measured by, to be called before the process is sealed.
 *
 * Another machine's `/proc` (`isOwn` being false) tells of all of that machine, whatever limits the
 * agent's own container.
 */
export function openMemory(
  host: MemoryHost,
  options: { mode: MemoryMode; isOwn: boolean },
): Memory {
  const { proc } = host.roots;
  const { mode } = options;
  const meminfo = host.open(`${proc}/meminfo`);
  // lxcfs and its like show the container's share, without the cache of the machine's ZFS.
  if (options.isOwn && isLaidOver(host, `${proc}/meminfo`)) return new Memory(meminfo, { mode });
  const arcstats = `${proc}/spl/kstat/zfs/arcstats`;
  return new Memory(meminfo, {
    mode,
    arcstats: host.exists(arcstats) ? host.open(arcstats) : undefined,
    group: options.isOwn ? openMemoryGroup(host) : undefined,
  });
}

function isLaidOver(host: MemoryHost, path: string): boolean {
  const mounts = host.readText(`${host.roots.proc}/self/mountinfo`) ?? "";
  return mounts.split("\n").some((line) => line.split(" ", 5)[4] === path);
}
