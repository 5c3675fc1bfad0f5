import type { FileSystemUse, Host, Source } from "../host/host.ts";
import { parseMountinfo } from "../parse/mountinfo.ts";
import type { Usage } from "../types.ts";
import {
  type CountedMount,
  filterMounts,
  ignoreMount,
  isLayered,
  type MountDecision,
} from "./mount_filter.ts";
import { NonblockingStatfs } from "./nonblocking_statfs.ts";

/** A file system's answer, and the pool that it shares its free space with others of. */
export interface PooledUsage {
  use: FileSystemUse;
  pool?: string | undefined;
}

/**
 * Adds up what file systems have and what of it is used, in bytes; `undefined` when there is none.
 *
 * Each data set of a pool claims all of the pool's free space for its own: there the used parts are
 * added, and the largest free part once. Snapshots and volumes of a pool are not in its data sets' answers.
 */
export function sumUsage(answers: readonly PooledUsage[]): Usage | undefined {
  if (answers.length === 0) return undefined;
  const sum: Usage = { totalBytes: 0, usedBytes: 0 };
  const freeOfPools = new Map<string, number>();
  for (const { use, pool } of answers) {
    const totalBytes = use.blocks * use.blockSizeBytes;
    const freeBytes = Math.min(use.freeBlocks * use.blockSizeBytes, totalBytes);
    sum.usedBytes += totalBytes - freeBytes;
    if (pool === undefined) sum.totalBytes += totalBytes;
    else {
      sum.totalBytes += totalBytes - freeBytes;
      freeOfPools.set(pool, Math.max(freeOfPools.get(pool) ?? 0, freeBytes));
    }
  }
  for (const freeBytes of freeOfPools.values()) sum.totalBytes += freeBytes;
  return sum;
}

/**
 * Whether two answers are most likely of the same file system: the same size, and as good as the
 * same free space, since something may be written between the two.
 */
export function hasSameUsage(one: FileSystemUse, other: FileSystemUse): boolean {
  return one.blockSizeBytes === other.blockSizeBytes && one.blocks === other.blocks &&
    Math.abs(one.freeBlocks - other.freeBlocks) <= one.blocks / 1_000;
}

/** How long a choice of mounts holds, unless one of them changes before. */
const REFRESH_MS = 60_000;

interface Answer {
  readonly mount: CountedMount;
  readonly pool: string | undefined;
  readonly use: FileSystemUse;
}

interface WatchedMount {
  readonly mount: CountedMount;
  /** Its size when it was chosen, where that stays. */
  readonly blocks: number | undefined;
}

/**
 * Disk space of the machine, each file system once: what `df` shows as Size and Used, added up.
 *
 * The mounts are chosen from `mountinfo`, read again every minute and at once when one of those
 * counted is gone or has another size. A file system that may hang is asked beside the reports and
 * counts with its last answer; until the first it is left out of the sum.
 */
export class DiskCollector {
  readonly #host: Pick<Host, "statfs" | "monotonicMs">;
  readonly #mountinfo: Source;
  readonly #options: { includeMountPoints: readonly string[]; visible?: Source };
  readonly #statfs: NonblockingStatfs;
  #decisions: MountDecision[] = [];
  #watched: WatchedMount[] = [];
  #decidedAtMs: number | undefined;

  /**
   * `mountinfo` is that of the root whose disks are meant, `/proc/self/mountinfo` for one's own; when it
   * is another's, `visible` is one's own.
   */
  constructor(
    host: Pick<Host, "statfs" | "statfsAsync" | "monotonicMs">,
    mountinfo: Source,
    options: { includeMountPoints: readonly string[]; visible?: Source },
  ) {
    this.#host = host;
    this.#mountinfo = mountinfo;
    this.#options = options;
    this.#statfs = new NonblockingStatfs(host);
  }

  /**
   * The space of all counted mounts together; `undefined` without `mountinfo` and when none has answered.
   *
   * @throws {SyntaxError} When the kernel's text can't be read.
   */
  collect(): Usage | undefined {
    const nowMs = this.#host.monotonicMs();
    const holds = this.#decidedAtMs !== undefined && nowMs - this.#decidedAtMs < REFRESH_MS;
    const answers = (holds ? this.#queryWatched() : undefined) ?? this.#decideAndQuery(nowMs);
    return answers && sumUsage(answers);
  }

  /** What was decided for each mount, the root first; empty before the first look. */
  mounts(): MountDecision[] {
    return this.#decisions.map(({ mountPoint, source, type, counted, rule }) => {
      return { mountPoint, source, type, counted, rule };
    });
  }

  /** `undefined` when a mount is not what it was: its path may now lead into another file system. */
  #queryWatched(): Answer[] | undefined {
    const answers: Answer[] = [];
    for (const { mount, blocks } of this.#watched) {
      const use = this.#query(mount);
      if (use instanceof Error || (blocks !== undefined && use?.blocks !== blocks)) {
        return undefined;
      }
      if (use) answers.push({ mount, pool: mount.pool, use });
    }
    return answers;
  }

  #decideAndQuery(nowMs: number): Answer[] | undefined {
    const text = this.#mountinfo.read();
    if (text === undefined) return undefined;
    const { visible } = this.#options;
    const verdicts = filterMounts(parseMountinfo(text), {
      include: this.#options.includeMountPoints,
      isFile: (path) => this.#isFile(path),
      ...(visible ? { visible: parseMountinfo(visible.read() ?? "") } : {}),
    });
    this.#decidedAtMs = nowMs;
    this.#watched = [];
    const answers: Answer[] = [];
    this.#decisions = verdicts.map((it) => it.counted ? this.#queryFirst(it, answers) : it);
    this.#statfs.prune(new Set(this.#watched.map(({ mount }) => mount.path)));
    return answers;
  }

  /** Asks a mount for the first time, adds its answer to the others and tells whether it stays counted. */
  #queryFirst(mount: CountedMount, answers: Answer[]): MountDecision {
    const use = this.#query(mount);
    if (use instanceof Error) return ignoreMount(mount, "its space can't be asked for");
    const same = use &&
      answers.find((other) =>
        (isLayered(mount.type) || isLayered(other.mount.type)) && hasSameUsage(use, other.use)
      );
    if (same) return ignoreMount(mount, `same space as ${same.mount.mountPoint}`);
    // The size of a ZFS data set changes with every byte that another one takes.
    const isSteady = !mount.mayHang && mount.pool === undefined;
    this.#watched.push({ mount, blocks: isSteady ? use?.blocks : undefined });
    if (use) answers.push({ mount, pool: mount.pool, use });
    return mount;
  }

  #query(mount: CountedMount): FileSystemUse | Error | undefined {
    if (mount.mayHang) return this.#statfs.query(mount.path);
    try {
      return this.#host.statfs(mount.path);
    } catch (cause) {
      return new Error(`Cannot ask ${mount.path} for its space`, { cause });
    }
  }

  /** A path goes on below a folder only. */
  #isFile(path: string): boolean {
    try {
      this.#host.statfs(`${path}/.`);
      return false;
    } catch (error) {
      return error instanceof Error && "code" in error && error.code === "ENOTDIR";
    }
  }
}
