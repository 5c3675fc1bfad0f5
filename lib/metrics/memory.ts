import type { Host, Source } from "../host/host.ts";
import { type Meminfo, parseArcstats, parseMeminfo } from "../parse/meminfo.ts";
import type { MemoryMode, Usage } from "../types.ts";
import { type CgroupMemory, openMemoryCgroup } from "./memory_cgroup.ts";

/** Counting mode and sources beside `/proc/meminfo`. */
export interface MemoryOptions {
  readonly mode?: MemoryMode;
  /** `/proc/spl/kstat/zfs/arcstats` on ZFS systems: the kernel counts the ARC as used. */
  readonly arcstats?: Source | undefined;
  /** The cgroup that limits, or may come to limit, the container in which the agent runs. */
  readonly cgroup?: { collect(): CgroupMemory | undefined } | undefined;
}

/** How memory is counted, of the machine and of a cgroup. */
interface Mode {
  readonly rule: string;
  unusedBytes(machine: Meminfo): number;
  readonly groupRule: string;
  usedBytes(group: CgroupMemory): number;
}

const MODES: Readonly<Record<MemoryMode, Mode>> = {
  htop: {
    rule: "total - free - buffers - cached - reclaimable + shared",
    unusedBytes(machine) {
      const { freeBytes, sharedBytes = 0 } = machine;
      const cacheBytes = (machine.buffersBytes ?? 0) + (machine.cachedBytes ?? 0) +
        (machine.reclaimableBytes ?? 0);
      // htop takes off what is free alone where more would be more than there is.
      const isCache = freeBytes + cacheBytes <= machine.totalBytes;
      return freeBytes - sharedBytes + (isCache ? cacheBytes : 0);
    },
    groupRule: "current - inactive files",
    // As `docker stats` and similar tools.
    usedBytes: (group) => group.currentBytes - group.inactiveFileBytes,
  },
  available: {
    rule: "total - available",
    unusedBytes: ({ availableBytes, freeBytes }) => availableBytes ?? freeBytes,
    groupRule: "current - files - reclaimable",
    usedBytes: (group) =>
      group.currentBytes - group.inactiveFileBytes - group.activeFileBytes -
      (group.reclaimableBytes ?? 0),
  },
  all: {
    rule: "total - free",
    unusedBytes: ({ freeBytes }) => freeBytes,
    groupRule: "current",
    usedBytes: ({ currentBytes }) => currentBytes,
  },
};

/** Measures memory and swap, from `/proc/meminfo` or from the cgroup that limits the container. */
export class MemoryCollector {
  readonly #meminfo: Source;
  readonly #options: MemoryOptions;
  readonly #mode: MemoryMode;
  /** Folder of the cgroup that the last call measured; `undefined` for the whole machine. */
  #limitedBy: string | undefined;

  constructor(meminfo: Source, options: MemoryOptions = {}) {
    this.#meminfo = meminfo;
    this.#options = options;
    this.#mode = options.mode ?? "htop";
  }

  /**
   * Bytes; swap is absent where the kernel does not report it.
   *
   * @throws {SyntaxError} When the kernel's text is malformed.
   */
  collect(): { memory: Usage; swap?: Usage } | undefined {
    const text = this.#meminfo.read();
    if (text === undefined) return undefined;
    const machine = parseMeminfo(text);
    const group = this.#options.cgroup?.collect();
    const binds = group !== undefined && group.limitBytes < machine.totalBytes;
    this.#limitedBy = binds ? group.folder : undefined;
    const memory = binds
      ? usage(group.limitBytes, MODES[this.#mode].usedBytes(group))
      : this.#machineUsage(machine);
    const swap = binds ? cgroupSwap(group.swap, machine) : swapUsage(machine);
    return swap === undefined ? { memory } : { memory, swap };
  }

  /** Describes what the last call measured and by which rule; `meminfo` is the path of that file. */
  sources(meminfo: string): { ram: string; swap: string } {
    const mode = this.#mode;
    const folder = this.#limitedBy;
    if (folder !== undefined) {
      const rule = `mode ${mode}: ${MODES[mode].groupRule}`;
      return { ram: `the container's limit in ${folder}, ${rule}`, swap: folder };
    }
    const hasArc = this.#options.arcstats !== undefined && mode !== "all";
    const arc = hasArc ? ", the cache of ZFS taken off" : "";
    return {
      ram: `${meminfo}${arc}, mode ${mode}: ${MODES[mode].rule}`,
      swap: `${meminfo}: total - free - cached`,
    };
  }

  #machineUsage(counters: Meminfo): Usage {
    const { totalBytes } = counters;
    const mode = this.#mode;
    const cache = mode === "all" ? 0 : reclaimableArcBytes(this.#options.arcstats?.read());
    return usage(totalBytes, totalBytes - MODES[mode].unusedBytes(counters) - cache);
  }
}

/** Bytes that ZFS frees under memory pressure; htop counts them as cache too. */
function reclaimableArcBytes(arcstats: string | undefined): number {
  if (arcstats === undefined) return 0;
  const { sizeBytes, minimumBytes } = parseArcstats(arcstats);
  return Math.max(sizeBytes - minimumBytes, 0);
}

/** A cgroup may have a higher swap limit than the machine has swap. */
function cgroupSwap(swap: CgroupMemory["swap"], machine: Meminfo): Usage | undefined {
  if (swap === undefined || machine.swapTotalBytes === undefined) return undefined;
  const limitBytes = swap.limitBytes ?? machine.swapTotalBytes;
  return usage(Math.min(limitBytes, machine.swapTotalBytes), swap.usedBytes);
}

function swapUsage(counters: Meminfo): Usage | undefined {
  const { swapTotalBytes, swapFreeBytes, swapCachedBytes } = counters;
  if (swapTotalBytes === undefined || swapFreeBytes === undefined) return undefined;
  return usage(swapTotalBytes, swapTotalBytes - swapFreeBytes - (swapCachedBytes ?? 0));
}

/** Clamps a difference: a container's view mixes numbers of container and host. */
export function usage(totalBytes: number, usedBytes: number): Usage {
  return { totalBytes, usedBytes: Math.min(Math.max(usedBytes, 0), totalBytes) };
}

type MemoryHost = Pick<Host, "roots" | "readText" | "exists" | "readLink" | "open">;

/**
 * Opens the files for measuring memory, before the process is sealed.
 *
 * With another machine's `/proc` (`isOwn` false) the whole machine is measured, whatever limits the
 * agent's own container.
 */
export function openMemory(
  host: MemoryHost,
  options: { mode: MemoryMode; isOwn: boolean },
): MemoryCollector {
  const { proc } = host.roots;
  const { mode } = options;
  const meminfo = host.open(`${proc}/meminfo`, { isRequired: true });
  // lxcfs shows the container's share, which does not include the machine's ZFS cache.
  if (options.isOwn && isMountPoint(host, `${proc}/meminfo`)) {
    return new MemoryCollector(meminfo, { mode });
  }
  const arcstats = `${proc}/spl/kstat/zfs/arcstats`;
  return new MemoryCollector(meminfo, {
    mode,
    arcstats: host.exists(arcstats) ? host.open(arcstats) : undefined,
    cgroup: options.isOwn ? openMemoryCgroup(host) : undefined,
  });
}

function isMountPoint(host: MemoryHost, path: string): boolean {
  const mounts = host.readText(`${host.roots.proc}/self/mountinfo`) ?? "";
  return mounts.split("\n").some((line) => line.split(" ", 5)[4] === path);
}
