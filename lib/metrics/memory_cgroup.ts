import { attempt } from "../attempt.ts";
import type { Host, Source } from "../host/host.ts";
import {
  type Cgroup,
  type CgroupMemoryStat,
  cgroupMountFolders,
  parseCgroup,
  parseMemoryLimit,
  parseMemoryStat,
} from "../parse/cgroup.ts";
import { type Mount, parseMountinfo } from "../parse/mountinfo.ts";
import { findNamespaceRoot, levelsAbove } from "./cgroup_search.ts";
import { containerKind } from "./virtualization.ts";

type GroupHost = Pick<Host, "roots" | "readText" | "exists" | "readLink" | "list" | "open">;

/** Limit and usage of a container's memory, in bytes. */
export interface CgroupMemory extends CgroupMemoryStat {
  limitBytes: number;
  /** The limit is that of a cgroup above it. */
  isLimitedAbove?: boolean | undefined;
  /** All accounted memory, caches included. */
  currentBytes: number;
  /** Absent where swap is not accounted. */
  swap?: CgroupSwap | undefined;
}

/** Limit and usage of a container's swap, in bytes. */
export interface CgroupSwap {
  /** `undefined` for no limit. */
  limitBytes: number | undefined;
  usedBytes: number;
  /** Of the cgroup that has the limit. */
  folder: string;
}

/** File names by cgroup version. */
const FILES = {
  1: {
    limit: "memory.limit_in_bytes",
    current: "memory.usage_in_bytes",
    // Memory and swap together.
    swapLimit: "memory.memsw.limit_in_bytes",
  },
  2: { limit: "memory.max", current: "memory.current", swapLimit: "memory.swap.max" },
} as const;

/** Measures a cgroup of a container, from files opened before the seal. */
export class CgroupMemoryCollector {
  /** Folder of the cgroup. */
  readonly folder: string;
  readonly #version: 1 | 2;
  readonly #limit: Source;
  readonly #current: Source;
  readonly #stat: Source;
  readonly #swapLimit: Source;
  readonly #swapCurrent: Source;

  constructor(host: Pick<Host, "open">, group: { version: 1 | 2; folder: string }) {
    const { version, folder } = group;
    const files = FILES[version];
    this.folder = folder;
    this.#version = version;
    this.#limit = host.open(`${folder}/${files.limit}`);
    this.#current = host.open(`${folder}/${files.current}`);
    this.#stat = host.open(`${folder}/memory.stat`);
    this.#swapLimit = host.open(`${folder}/${files.swapLimit}`);
    this.#swapCurrent = host.open(`${folder}/memory.swap.current`);
  }

  /** Its limit and that of what is above it, which may be out of sight; `undefined` without one. */
  limit(): EffectiveLimit | undefined {
    return attempt(() => {
      const stat = this.#version === 1 ? this.#stat.read() : undefined;
      return effectiveLimit(
        this.#limit.read(),
        stat === undefined ? undefined : parseMemoryStat(stat, 1),
      );
    });
  }

  /**
   * Limit and usage; `undefined` when the limit has been removed.
   *
   * @throws {SyntaxError} When the kernel's text is malformed.
   */
  collect(): CgroupMemory | undefined {
    const limitText = this.#limit.read();
    const current = this.#current.read();
    const statText = this.#stat.read();
    if (current === undefined || statText === undefined) return undefined;
    const stat = parseMemoryStat(statText, this.#version);
    const limit = effectiveLimit(limitText, stat);
    if (limit === undefined) return undefined;
    const { bytes: limitBytes, isAbove: isLimitedAbove } = limit;
    const swap = this.#version === 1 ? this.#swapV1(limitBytes, stat) : this.#swapV2();
    const currentBytes = parseMemoryLimit(current) ?? 0;
    return { ...stat, limitBytes, isLimitedAbove, currentBytes, swap };
  }

  /** Its swap, beside memory of that limit, which may be that of another cgroup. */
  swap(memoryLimitBytes: number): CgroupSwap | undefined {
    if (this.#version === 2) return this.#swapV2();
    const stat = this.#stat.read();
    return stat === undefined
      ? undefined
      : this.#swapV1(memoryLimitBytes, parseMemoryStat(stat, 1));
  }

  #swapV2(): CgroupSwap | undefined {
    const used = this.#swapCurrent.read();
    if (used === undefined) return undefined;
    return {
      limitBytes: parseLimit(this.#swapLimit.read()),
      usedBytes: parseMemoryLimit(used) ?? 0,
      folder: this.folder,
    };
  }

  #swapV1(memoryLimitBytes: number, stat: CgroupMemoryStat): CgroupSwap | undefined {
    if (stat.swapBytes === undefined) return undefined;
    const both = lowest(parseLimit(this.#swapLimit.read()), stat.hierarchicalSwapLimitBytes);
    // It is at least that of memory.
    const isLimited = both !== undefined && memoryLimitBytes < Infinity;
    const limitBytes = isLimited ? Math.max(both - memoryLimitBytes, 0) : undefined;
    return { limitBytes, usedBytes: stat.swapBytes, folder: this.folder };
  }
}

/** Interval at which the tightest cgroup is chosen anew: a limit may be set at any time. */
const CHOICE_MS = 60_000;

/** Measures the tightest of a container's cgroups, which is chosen anew each minute. */
export class TightestCgroup {
  readonly #groups: readonly CgroupMemoryCollector[];
  /** Says so when the container has cgroups that could not be found. */
  readonly problem?: Error | undefined;
  #chosen: CgroupMemoryCollector | undefined;
  /** The one with the lowest limit of swap, which may be another. */
  #ofSwap: CgroupMemoryCollector | undefined;
  #memoryLimitBytes = Infinity;
  #chosenAtMs = performance.now();

  constructor(groups: readonly CgroupMemoryCollector[], problem?: Error) {
    this.#groups = groups;
    this.problem = problem;
    this.#choose();
  }

  /** Folder of the cgroup whose limit applies; `undefined` without a limit. */
  get folder(): string | undefined {
    return this.#chosen?.folder;
  }

  /**
   * Its limit and usage; `undefined` without a limit.
   *
   * @throws {SyntaxError} When the kernel's text is malformed.
   */
  collect(): CgroupMemory | undefined {
    const nowMs = performance.now();
    if (nowMs - this.#chosenAtMs >= CHOICE_MS) {
      this.#choose();
      this.#chosenAtMs = nowMs;
    }
    let memory = this.#chosen?.collect();
    if (memory === undefined && this.#chosen !== undefined) {
      // Its limit was removed, and another may hold.
      this.#choose();
      memory = this.#chosen?.collect();
    }
    if (memory === undefined || this.#ofSwap === this.#chosen) return memory;
    return { ...memory, swap: this.#ofSwap?.swap(memory.limitBytes) };
  }

  /**
   * Limit and usage of swap where memory has no limit; `undefined` where swap has none either.
   *
   * @throws {SyntaxError} When the kernel's text is malformed.
   */
  collectSwap(): CgroupSwap | undefined {
    const swap = this.#ofSwap?.swap(this.#memoryLimitBytes);
    return swap?.limitBytes === undefined ? undefined : swap;
  }

  #choose(): void {
    const { group: chosen, bytes: memoryLimitBytes } = tightest(this.#groups) ??
      { group: undefined, bytes: Infinity };
    const swapLimit = (group: CgroupMemoryCollector | undefined) =>
      attempt(() => group?.swap(memoryLimitBytes)?.limitBytes) ?? Infinity;
    let [ofSwap, lowestBytes] = [chosen, swapLimit(chosen)];
    for (const group of this.#groups) {
      const bytes = group === chosen ? Infinity : swapLimit(group);
      if (bytes < lowestBytes) [ofSwap, lowestBytes] = [group, bytes];
    }
    this.#chosen = chosen;
    this.#memoryLimitBytes = memoryLimitBytes;
    this.#ofSwap = ofSwap;
  }
}

function tightest(
  groups: readonly CgroupMemoryCollector[],
): EffectiveLimit & { readonly group: CgroupMemoryCollector } | undefined {
  const limits = groups.flatMap((group) => {
    const limit = group.limit();
    return limit === undefined ? [] : [{ group, ...limit }];
  });
  // Of those below a limit, the one that has it knows all memory to which it applies.
  const order = limits.sort((a, b) => a.bytes - b.bytes || Number(a.isAbove) - Number(b.isAbove));
  return order[0];
}

/** The limit that applies to a cgroup. */
interface EffectiveLimit {
  readonly bytes: number;
  /** It is that of a cgroup above. */
  readonly isAbove: boolean;
}

function effectiveLimit(
  text: string | undefined,
  stat: CgroupMemoryStat | undefined,
): EffectiveLimit | undefined {
  const own = parseLimit(text);
  const bytes = lowest(own, stat?.hierarchicalLimitBytes);
  return bytes === undefined ? undefined : { bytes, isAbove: bytes !== own };
}

/** The lowest limit. Nothing runs with 0, which emulated kernels write for none. */
function lowest(...limits: readonly (number | undefined)[]): number | undefined {
  const least = Math.min(...limits.map((bytes) => bytes || Infinity));
  return least === Infinity ? undefined : least;
}

/**
 * Opens the container's own cgroup and its visible ancestors, of which the lowest memory limit applies;
 * `undefined` without any or outside a container.
 */
export function openMemoryCgroup(host: GroupHost): TightestCgroup | undefined {
  // Outside a container a limit applies to the agent alone.
  if (containerKind(host) === undefined) return undefined;
  // With an unknown hierarchy the machine's numbers are used.
  return attempt(() => openGroups(host));
}

function openGroups(host: GroupHost): TightestCgroup | undefined {
  const own = parseCgroup(host.readText(`${host.roots.proc}/self/cgroup`) ?? "", "memory");
  if (own === undefined) return undefined;
  const group = containerCgroup(host, own);
  const { version } = group;
  const mounts = parseMountinfo(host.readText(`${host.roots.proc}/self/mountinfo`) ?? "");
  const visible = openFolders(host, group, mounts);
  if (visible.length > 0) return new TightestCgroup(visible);
  const above = mountsAbove(host, version, mounts);
  for (const { mountPoint, type, root } of above) {
    const place = { mountPoint, levels: levelsAbove(root), path: own.path };
    const found = findNamespaceRoot(host, place);
    if (found === undefined) continue;
    const path = `${found}${group.path}`.replace(/(?<=.)\/$/, "");
    return new TightestCgroup(
      openFolders(host, { version, path }, [{ mountPoint, type, root: "/" }]),
    );
  }
  const place = above[0]?.mountPoint;
  return place === undefined
    ? undefined
    : new TightestCgroup([], new Error(`Cannot find the container's memory limit below ${place}`));
}

/** Opens a cgroup and its ancestors in all mounts that show them. */
function openFolders(
  host: GroupHost,
  group: Cgroup,
  mounts: readonly Pick<Mount, "type" | "root" | "mountPoint">[],
): CgroupMemoryCollector[] {
  const { version } = group;
  return cgroupMountFolders(group, mounts)
    .filter((folder) => host.readText(`${folder}/${FILES[version].limit}`) !== undefined)
    .map((folder) => new CgroupMemoryCollector(host, { version, folder }));
}

/** Mounts of the host's own that lie over the container's, with their roots above its namespace. */
function mountsAbove(host: GroupHost, version: 1 | 2, mounts: readonly Mount[]): Mount[] {
  const type = version === 1 ? "cgroup" : "cgroup2";
  return mounts.filter(({ type: its, root, mountPoint }) =>
    its === type && levelsAbove(root) > 0 &&
    (version === 2 || host.readText(`${mountPoint}/memory.stat`) !== undefined)
  );
}

/**
 * The agent's cgroup, or the container's: where systemd is the init of the container, its process 1 is
 * in `init.scope`, and the agent's service may have a limit of its own.
 */
function containerCgroup(host: GroupHost, own: Cgroup): Cgroup {
  const first = parseCgroup(host.readText(`${host.roots.proc}/1/cgroup`) ?? "", "memory");
  const containerPath = /^(.*)\/init\.scope$/.exec(first?.path ?? "")?.[1];
  if (containerPath === undefined) return own;
  // In the host's pid namespace process 1 is not the container's.
  return `${own.path}/`.startsWith(`${containerPath}/`)
    ? { ...own, path: containerPath || "/" }
    : own;
}

function parseLimit(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseMemoryLimit(text);
}
