import { settlesWithin } from "../async/timeout.ts";
import { attempt, errorCode } from "../attempt.ts";
import type { FileSystemUse, Host, Source } from "../host/host.ts";
import type { OnMalformed } from "../parse/bounded_text.ts";
import { parseMountinfo } from "../parse/mountinfo.ts";
import type { Usage } from "../types.ts";
import { UnmeasuredPart } from "./snapshot.ts";
import {
  type CountedMount,
  filterMounts,
  type IgnoredMount,
  ignoreMount,
  isLayered,
  type MountDecision,
} from "./mount_filter.ts";
import { NonblockingStatfs } from "./nonblocking_statfs.ts";

/**
 * Adds up total and used bytes of file systems; `undefined` when there are none.
 *
 * Each data set of a pool reports all free space of the pool as its own: used parts are added, and the
 * largest free part is added once. Snapshots and volumes of a pool are not included.
 */
export function sumUsage(
  answers: readonly { use: FileSystemUse; mount?: Pick<CountedMount, "pool"> }[],
): Usage | undefined {
  if (answers.length === 0) return undefined;
  const sum: Usage = { totalBytes: 0, usedBytes: 0 };
  const freeOfPools = new Map<string, number>();
  for (const { use, mount } of answers) {
    const pool = mount?.pool;
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
 * Whether two usages are most likely of the same file system: the same size, and free space that
 * differs by at most 0.1 % of it, because something may be written between the two calls.
 */
export function hasSameUsage(one: FileSystemUse, other: FileSystemUse): boolean {
  return one.blockSizeBytes === other.blockSizeBytes && one.blocks === other.blocks &&
    Math.abs(one.freeBlocks - other.freeBlocks) <= one.blocks / 1_000;
}

/**
 * Interval at which the mounts are read again, unless a counted one changes earlier: thousands of them,
 * read each minute, would take a tenth of all CPU.
 */
const REFRESH_MS = 300_000;
/** The same where no disk could be measured, which may be over soon. */
const RETRY_MS = 10_000;
/** Time for the first answers of file systems that may hang, which come within a few milliseconds. */
const FIRST_ANSWERS_MS = 300;

interface Answer {
  readonly mount: CountedMount;
  readonly use: FileSystemUse;
}

/** Decides by rule which of the mounts in a text count, the root first. */
export type MountFilter = (
  text: string,
  onMalformed: OnMalformed,
) => (CountedMount | IgnoredMount)[];

interface WatchedMount {
  readonly mount: CountedMount;
  /** Size when the mount was selected, if it is fixed. */
  readonly blocks: number | undefined;
}

/**
 * Measures disk space, each file system once: the sum of Size and Used of `df`.
 *
 * The mounts are read every five minutes, and as soon as a counted mount disappears or changes its size.
 * File systems that may hang are queried in the background and count with their last answer; before the
 * first answer they are left out.
 */
export class DiskCollector {
  readonly #host: Pick<Host, "statfs">;
  readonly #mounts: Source;
  readonly #filter: MountFilter;
  readonly #statfs: NonblockingStatfs;
  #decisions: (CountedMount | IgnoredMount)[] = [];
  #watched: WatchedMount[] = [];
  #decidedAtMs: number | undefined;
  #malformed: SyntaxError | undefined;
  /** Of disks whose last call failed. */
  #failed: UnmeasuredPart | undefined;

  constructor(host: Pick<Host, "statfs" | "statfsAsync">, mounts: Source, filter: MountFilter) {
    this.#host = host;
    this.#mounts = mounts;
    this.#filter = filter;
    this.#statfs = new NonblockingStatfs(host);
  }

  /**
   * Total and used bytes of all counted mounts; `undefined` without a text of mounts.
   *
   * @throws {UnmeasuredPart} When no disk can be measured.
   * @throws {Error} When no mount counts, or none has answered yet.
   * @throws {SyntaxError} When every line of the mounts is malformed.
   */
  collect(): Usage | undefined {
    const nowMs = performance.now();
    const refreshMs = this.#watched.length === 0 ? RETRY_MS : REFRESH_MS;
    const isFresh = this.#decidedAtMs !== undefined && nowMs - this.#decidedAtMs < refreshMs;
    const answers = (isFresh ? this.#queryWatched() : undefined) ?? this.#decideAndQuery(nowMs);
    const usage = answers && sumUsage(answers);
    if (answers === undefined || usage !== undefined) return usage;
    const waiting = this.#watched.map(({ mount }) => mount.mountPoint).join(", ");
    if (waiting !== "") throw new Error(`Cannot statfs ${waiting}: no answer yet`);
    throw this.#malformed ?? this.#failed ?? new Error("Cannot find a mounted disk");
  }

  /** Waits for what file systems that may hang answer first, for 0.3 s at most. */
  async firstAnswers(): Promise<void> {
    if (this.#decidedAtMs === undefined) attempt(() => this.collect());
    await settlesWithin(this.#statfs.settled(), FIRST_ANSWERS_MS);
  }

  /** The error of a malformed line of the mounts, which was skipped; or a disk that could not be measured. */
  missingPart(): Error | undefined {
    if (this.#malformed !== undefined || this.#failed !== undefined) {
      return this.#malformed ?? this.#failed;
    }
    for (const { mount } of this.#watched) {
      const problem = this.#problem(mount);
      if (problem !== undefined) return new UnmeasuredPart(mount.mountPoint, problem);
    }
    return undefined;
  }

  /** Decisions on all mounts, the root first; empty before the first call of `collect()`. */
  mounts(): MountDecision[] {
    return this.#decisions.map((decision) => {
      const { mountPoint, source, type, counted, rule } = decision;
      const isAnswered = !decision.counted || this.#problem(decision) === undefined;
      return {
        mountPoint,
        source,
        type,
        counted,
        rule: isAnswered ? rule : `${rule}, not measured`,
      };
    });
  }

  #problem({ path, mayHang }: CountedMount): Error | undefined {
    return mayHang ? this.#statfs.problem(path) : undefined;
  }

  /** `undefined` when a mount has changed: its path may now lead to another file system. */
  #queryWatched(): Answer[] | undefined {
    const answers: Answer[] = [];
    for (const { mount, blocks } of this.#watched) {
      const use = this.#query(mount);
      if (use instanceof Error || (blocks !== undefined && use?.blocks !== blocks)) {
        return undefined;
      }
      if (use) answers.push({ mount, use });
    }
    return answers;
  }

  #decideAndQuery(nowMs: number): Answer[] | undefined {
    const text = this.#mounts.read();
    if (text === undefined) return undefined;
    this.#malformed = undefined;
    const decisions = this.#filter(text, (error) => this.#malformed ??= error);
    this.#decidedAtMs = nowMs;
    this.#watched = [];
    this.#failed = undefined;
    const answers: Answer[] = [];
    this.#decisions = decisions.map((it) => it.counted ? this.#queryFirst(it, answers) : it);
    this.#statfs.prune(new Set(this.#watched.map(({ mount }) => mount.path)));
    return answers;
  }

  /** Queries a mount for the first time, adds its answer, and decides whether the mount counts. */
  #queryFirst(mount: CountedMount, answers: Answer[]): CountedMount | IgnoredMount {
    const use = this.#query(mount);
    if (use instanceof Error) {
      this.#failed ??= new UnmeasuredPart(mount.mountPoint, use);
      return ignoreMount(mount, "statfs failed");
    }
    const same = use &&
      answers.find((other) =>
        (isLayered(mount.type) || isLayered(other.mount.type)) && hasSameUsage(use, other.use)
      );
    if (same) return ignoreMount(mount, `same space as ${same.mount.mountPoint}`);
    // The size of a ZFS data set changes with the usage of the others in its pool.
    const isSteady = !mount.mayHang && mount.pool === undefined;
    this.#watched.push({ mount, blocks: isSteady ? use?.blocks : undefined });
    if (use) answers.push({ mount, use });
    return mount;
  }

  #query(mount: CountedMount): FileSystemUse | Error | undefined {
    if (mount.mayHang) return this.#statfs.query(mount.path);
    try {
      return this.#host.statfs(mount.path);
    } catch (error) {
      return error instanceof Error ? error : new Error(`Cannot statfs ${mount.path}`);
    }
  }
}

/**
 * The filter of a mountinfo, by `--include-mountpoint`. When the mounts are not the agent's own, `visible`
 * is its own mountinfo.
 */
export function linuxMountFilter(
  host: Pick<Host, "statfs">,
  { include, visible }: { include: readonly string[]; visible?: Source | undefined },
): MountFilter {
  return (text, onMalformed) =>
    filterMounts(parseMountinfo(text, onMalformed), {
      include,
      isFile: (path) => isFile(host, path),
      ...visible && { visible: parseMountinfo(visible.read() ?? "", onMalformed) },
    });
}

/** `PATH/.` exists only for folders. */
function isFile(host: Pick<Host, "statfs">, path: string): boolean {
  try {
    host.statfs(`${path}/.`);
    return false;
  } catch (error) {
    return errorCode(error) === "ENOTDIR";
  }
}
