import type { Host, Source } from "../host/host.ts";
import { parseArcstats } from "../parse/arcstats.ts";
import { type Meminfo, parseMeminfo } from "../parse/meminfo.ts";
import type { MemoryMode, Usage } from "../types.ts";
import {
  type CgroupMemory,
  type CgroupMemoryCollector,
  openMemoryCgroup,
} from "./memory_cgroup.ts";

/** How memory is counted, and what there is beside `/proc/meminfo`. */
export interface MemoryOptions {
  readonly mode?: MemoryMode;
  /** `/proc/spl/kstat/zfs/arcstats`, where ZFS runs: the kernel counts its cache as plain use. */
  readonly arcstats?: Source | undefined;
  /** What limits the container that the agent runs in. */
  readonly cgroup?: Pick<CgroupMemoryCollector, "folder" | "collect"> | undefined;
}

/** Memory and swap in use, from `/proc/meminfo`, or from the control group that limits a container. */
export class MemoryCollector {
  readonly #meminfo: Source;
  readonly #options: MemoryOptions;
  readonly #mode: MemoryMode;
  #effectiveMode: MemoryMode;
  #limitedBy: string | undefined;

  constructor(meminfo: Source, options: MemoryOptions = {}) {
    this.#meminfo = meminfo;
    this.#options = options;
    this.#mode = options.mode ?? "htop";
    this.#effectiveMode = this.#mode;
  }

  /** The mode that the last call counted by: kernels before 3.14 don't know what is available. */
  get effectiveMode(): MemoryMode {
    return this.#effectiveMode;
  }

  /** Whether another mode was wanted, which the kernel could not serve at the last call. */
  get isFallback(): boolean {
    return this.#effectiveMode !== this.#mode;
  }

  /** The folder of the control group that the last call's numbers are of; `undefined` when of none. */
  get limitedBy(): string | undefined {
    return this.#limitedBy;
  }

  /** Whether what ZFS would give back is counted as cache. */
  get knowsZfs(): boolean {
    return this.#options.arcstats !== undefined;
  }

  /**
   * Bytes; swap is absent where the kernel does not speak of it.
   *
   * @throws {SyntaxError} When the kernel's text can't be read.
   */
  collect(): { memory: Usage; swap?: Usage } | undefined {
    const text = this.#meminfo.read();
    if (text === undefined) return undefined;
    const machine = parseMeminfo(text);
    const group = this.#options.cgroup?.collect();
    const binds = group !== undefined && group.limitBytes < machine.totalBytes;
    this.#limitedBy = binds ? this.#options.cgroup?.folder : undefined;
    const isUnknown = !binds && machine.availableBytes === undefined;
    this.#effectiveMode = this.#mode === "available" && isUnknown ? "htop" : this.#mode;
    const memory = binds
      ? usage(group.limitBytes, cgroupUsedBytes(group, this.#mode))
      : this.#machineUsage(machine);
    const swap = binds ? cgroupSwap(group, machine) : swapUsage(machine);
    return swap === undefined ? { memory } : { memory, swap };
  }

  #machineUsage(counters: Meminfo): Usage {
    const { totalBytes } = counters;
    const mode = this.#effectiveMode;
    const cache = mode === "all" ? 0 : reclaimableArcBytes(this.#options.arcstats?.read());
    return usage(totalBytes, totalBytes - unusedBytes(counters, mode) - cache);
  }
}

/** What ZFS gives back when memory gets short; htop takes it for cache too. */
function reclaimableArcBytes(arcstats: string | undefined): number {
  if (arcstats === undefined) return 0;
  const { sizeBytes, minimumBytes } = parseArcstats(arcstats);
  return Math.max(sizeBytes - minimumBytes, 0);
}

function unusedBytes(counters: Meminfo, mode: MemoryMode): number {
  switch (mode) {
    case "all":
      return counters.freeBytes;
    case "available":
      return counters.availableBytes ?? counters.freeBytes;
    case "htop":
      return counters.freeBytes + (counters.buffersBytes ?? 0) + (counters.cachedBytes ?? 0) +
        (counters.reclaimableBytes ?? 0) - (counters.sharedBytes ?? 0);
  }
}

/** What users compare with here is `docker stats` and its like: all but files not used of late. */
function cgroupUsedBytes(group: CgroupMemory, mode: MemoryMode): number {
  switch (mode) {
    case "all":
      return group.currentBytes;
    case "available":
      return group.currentBytes - group.inactiveFileBytes - group.activeFileBytes -
        (group.reclaimableBytes ?? 0);
    case "htop":
      return group.currentBytes - group.inactiveFileBytes;
  }
}

/** A group may be allowed more swap than the machine has. */
function cgroupSwap({ swap }: CgroupMemory, machine: Meminfo): Usage | undefined {
  if (swap === undefined || machine.swapTotalBytes === undefined) return undefined;
  const limitBytes = swap.limitBytes ?? machine.swapTotalBytes;
  return usage(Math.min(limitBytes, machine.swapTotalBytes), swap.usedBytes);
}

function swapUsage(counters: Meminfo): Usage | undefined {
  const { swapTotalBytes, swapFreeBytes, swapCachedBytes } = counters;
  if (swapTotalBytes === undefined || swapFreeBytes === undefined) return undefined;
  return usage(swapTotalBytes, swapTotalBytes - swapFreeBytes - (swapCachedBytes ?? 0));
}

/** A container's view mixes numbers of container and host, so a difference may leave the range. */
function usage(totalBytes: number, usedBytes: number): Usage {
  return { totalBytes, usedBytes: Math.min(Math.max(usedBytes, 0), totalBytes) };
}

/** What decides how memory is counted. */
export interface MemoryRuleOptions {
  readonly mode: MemoryMode;
  /** Whether the numbers are those of a container's control group. */
  readonly limited: boolean;
  /** Whether another mode was wanted, which the kernel can't serve. */
  readonly fallback: boolean;
}

const MEMINFO_RULES: Readonly<Record<MemoryMode, string>> = {
  htop: "total - free - buffers - cached - reclaimable + shared",
  available: "total - available",
  all: "total - free",
};

const CGROUP_RULES: Readonly<Record<MemoryMode, string>> = {
  htop: "all in use - files not used of late",
  available: "all in use - files - reclaimable",
  all: "all in use",
};

/** How used memory is counted, in plain words: `mode all: total - free`. */
export function memoryRule({ mode, limited, fallback }: MemoryRuleOptions): string {
  const why = fallback ? ", since this kernel does not tell what is available" : "";
  return `mode ${mode}${why}: ${(limited ? CGROUP_RULES : MEMINFO_RULES)[mode]}`;
}

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
): MemoryCollector {
  const { proc } = host.roots;
  const { mode } = options;
  const meminfo = host.open(`${proc}/meminfo`);
  // lxcfs and its like show the container's share, without the cache of the machine's ZFS.
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
