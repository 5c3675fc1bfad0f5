import { attempt } from "../attempt.ts";
import type { Host, Source } from "../host/host.ts";
import {
  type CgroupMemoryStat,
  cgroupMountFolders,
  parseCgroup,
  parseMemoryLimit,
  parseMemoryStat,
} from "../parse/cgroup.ts";
import { parseMountinfo } from "../parse/mountinfo.ts";
import { containerKind } from "./virtualization.ts";

type GroupHost = Pick<Host, "roots" | "readText" | "exists" | "readLink" | "open">;

/** Limit and usage of a container's memory, in bytes. */
export interface CgroupMemory extends CgroupMemoryStat {
  limitBytes: number;
  /** All accounted memory, caches included. */
  currentBytes: number;
  /** Its limit is absent where there is none, and all of it where swap is not accounted. */
  swap?: { limitBytes: number | undefined; usedBytes: number } | undefined;
  /** Folder of the cgroup that has the limit. */
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

/** Measures a cgroup of a container, by files opened before the seal. */
export class MemoryCgroup {
  readonly #folder: string;
  readonly #version: 1 | 2;
  readonly #limit: Source;
  readonly #current: Source;
  readonly #stat: Source;
  readonly #swapLimit: Source;
  readonly #swapCurrent: Source;

  constructor(host: Pick<Host, "open">, group: { version: 1 | 2; folder: string }) {
    const { version, folder } = group;
    const files = FILES[version];
    this.#folder = folder;
    this.#version = version;
    this.#limit = host.open(`${folder}/${files.limit}`);
    this.#current = host.open(`${folder}/${files.current}`);
    this.#stat = host.open(`${folder}/memory.stat`);
    this.#swapLimit = host.open(`${folder}/${files.swapLimit}`);
    this.#swapCurrent = host.open(`${folder}/memory.swap.current`);
  }

  /**
   * Limit and usage; `undefined` without a limit.
   *
   * @throws {SyntaxError} When the kernel's text is malformed.
   */
  collect(): CgroupMemory | undefined {
    const limitBytes = parseLimit(this.#limit.read());
    if (limitBytes === Infinity) return undefined;
    const [current, text] = [this.#current.read(), this.#stat.read()];
    if (current === undefined || text === undefined) return undefined;
    const stat = parseMemoryStat(text, this.#version);
    return {
      ...stat,
      limitBytes,
      currentBytes: parseMemoryLimit(current) ?? 0,
      swap: this.#swap(limitBytes, stat),
      folder: this.#folder,
    };
  }

  #swap(memoryLimitBytes: number, stat: CgroupMemoryStat): CgroupMemory["swap"] {
    const usedBytes = this.#version === 1
      ? stat.swapBytes
      : parseMemoryLimit(this.#swapCurrent.read() ?? "max");
    if (usedBytes === undefined) return undefined;
    const limit = parseLimit(this.#swapLimit.read());
    // That of memory and swap together is at least that of memory.
    const limitBytes = this.#version === 1 ? Math.max(limit - memoryLimitBytes, 0) : limit;
    return { limitBytes: limitBytes === Infinity ? undefined : limitBytes, usedBytes };
  }
}

/** Nothing runs with 0, which emulated kernels write for none. */
function parseLimit(text = "max"): number {
  return parseMemoryLimit(text) || Infinity;
}

/**
 * Opens the container's own cgroup, or the visible one above it that has the lowest limit now; `undefined`
 * without any or outside a container.
 */
export function openMemoryCgroup(host: GroupHost): MemoryCgroup | undefined {
  // Outside a container a limit applies to the agent alone.
  if (containerKind(host) === undefined) return undefined;
  // With an unknown hierarchy the machine's numbers are used.
  return attempt(() => {
    const own = parseCgroup(host.readText(`${host.roots.proc}/self/cgroup`) ?? "");
    if (own === undefined) return undefined;
    const mounts = parseMountinfo(host.readText(`${host.roots.proc}/self/mountinfo`) ?? "");
    const { version } = own;
    const limits = cgroupMountFolders(own, mounts).flatMap((folder) => {
      const text = host.readText(`${folder}/${FILES[version].limit}`);
      return text === undefined ? [] : [{ folder, bytes: parseLimit(text) }];
    });
    const lowest = Math.min(...limits.map(({ bytes }) => bytes));
    // The outermost of those below one limit has it, and all memory to which it applies.
    const tightest = limits.findLast(({ bytes }) => bytes === lowest);
    return tightest && new MemoryCgroup(host, { version, folder: tightest.folder });
  });
}
