import { settlesWithin } from "../async/timeout.ts";
import { attempt, errorCode } from "../attempt.ts";
import type { FileSystemUse, Host, Source } from "../host/host.ts";
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

/** Of what is no disk, or of a program's file system that this user may not use. */
function noSize(path: string): Error {
  return new Error(`Cannot statfs ${JSON.stringify(path)}: it has no size`);
}

/** Interval at which mountinfo is read again, unless a counted mount changes earlier. */
const REFRESH_MS = 60_000;
/** Characters of a mountinfo of about 500 mounts. Reading one of 2,000 each minute is a tenth of all CPU. */
const LONG_MOUNTINFO = 64 * 1024;
const LONG_REFRESH_MS = 300_000;
/** The same where no disk could be measured, which may be over soon. */
const RETRY_MS = 10_000;
/** Time for the first answers of file systems that may hang, which come within a few milliseconds. */
const FIRST_ANSWERS_MS = 300;

interface Answer {
  readonly mount: CountedMount;
  readonly use: FileSystemUse;
}

type Mounts = ReturnType<typeof filterMounts>;

interface WatchedMount {
  readonly mount: CountedMount;
  /** Size when the mount was selected, if it is fixed. */
  readonly blocks: number | undefined;
}

/**
 * Measures disk space, each file system once: the sum of Size and Used of `df`.
 *
 * Mounts are selected from `mountinfo`, which is read every minute, every five minutes if it is long,
 * and as soon as a counted mount disappears or changes its size. File systems that may hang are queried
 * in the background and count with their last answer; before the first answer they are left out.
 */
export class DiskCollector {
  readonly #host: Pick<Host, "statfs">;
  readonly #mountinfo: Source;
  readonly #options: { includeMountPoints: readonly string[]; visible?: Source };
  readonly #statfs: NonblockingStatfs;
  #decisions: (CountedMount | IgnoredMount)[] = [];
  #watched: WatchedMount[] = [];
  #decidedAtMs: number | undefined;
  #malformed: SyntaxError | undefined;
  /** Of disks whose last call failed. */
  #failed: UnmeasuredPart | undefined;
  /** The decisions by rule on the mounts of these texts. */
  #filtered: { text: string; visible: string | undefined; mounts: Mounts } | undefined;

  /**
   * `mountinfo` belongs to the measured machine; when that is not the agent's own, `visible` is the
   * agent's own mountinfo.
   */
  constructor(
    host: Pick<Host, "statfs" | "statfsAsync">,
    mountinfo: Source,
    options: { includeMountPoints: readonly string[]; visible?: Source },
  ) {
    this.#host = host;
    this.#mountinfo = mountinfo;
    this.#options = options;
    this.#statfs = new NonblockingStatfs(host);
  }

  /**
   * Total and used bytes of all counted mounts.
   *
   * @throws {UnmeasuredPart} When no disk can be measured.
   * @throws {Error} When no mount counts, or none has answered yet.
   * @throws {SyntaxError} When every line of mountinfo is malformed.
   */
  collect(): Usage | undefined {
    const nowMs = performance.now();
    const isFresh = this.#decidedAtMs !== undefined &&
      nowMs - this.#decidedAtMs < this.#refreshMs();
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

  /** The error of a malformed line of mountinfo, which was skipped; or a disk that could not be measured. */
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
      const problem = "path" in decision ? this.#problem(decision) : undefined;
      return {
        mountPoint,
        source,
        type,
        counted,
        rule: problem === undefined
          ? rule
          : problem.message.endsWith("it has no size")
          ? `${rule}, without a size`
          : `${rule}, without answer`,
      };
    });
  }

  #problem({ path, mayHang }: CountedMount): Error | undefined {
    if (!mayHang) return undefined;
    return this.#statfs.problem(path) ??
      (this.#statfs.last(path)?.blocks === 0 ? noSize(path) : undefined);
  }

  #refreshMs(): number {
    if (this.#watched.length === 0) return RETRY_MS;
    const length = this.#filtered?.text.length ?? 0;
    return length > LONG_MOUNTINFO ? LONG_REFRESH_MS : REFRESH_MS;
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
    const text = this.#mountinfo.read();
    if (text === undefined) return undefined;
    const decisions = this.#filter(text, this.#options.visible?.read());
    this.#decidedAtMs = nowMs;
    this.#watched = [];
    this.#failed = undefined;
    const answers: Answer[] = [];
    this.#decisions = decisions.map((it) => it.counted ? this.#queryFirst(it, answers) : it);
    this.#statfs.prune(new Set(this.#watched.map(({ mount }) => mount.path)));
    return answers;
  }

  /** Parses nothing anew while no mount has changed: container hosts have thousands. */
  #filter(text: string, visible: string | undefined): Mounts {
    if (this.#filtered?.text === text && this.#filtered.visible === visible) {
      return this.#filtered.mounts;
    }
    this.#malformed = undefined;
    const skip = (error: SyntaxError) => this.#malformed ??= error;
    const mounts = filterMounts(parseMountinfo(text, skip), {
      include: this.#options.includeMountPoints,
      isFile: (path) => this.#isFile(path),
      visible: this.#options.visible && parseMountinfo(visible ?? "", skip),
    });
    this.#filtered = { text, visible, mounts };
    return mounts;
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
      const use = this.#host.statfs(mount.path);
      return use.blocks === 0 ? noSize(mount.path) : use;
    } catch (error) {
      return error instanceof Error ? error : new Error(`Cannot statfs ${mount.path}`);
    }
  }

  /** `PATH/.` exists only for folders. */
  #isFile(path: string): boolean {
    try {
      this.#host.statfs(`${path}/.`);
      return false;
    } catch (error) {
      return errorCode(error) === "ENOTDIR";
    }
  }
}
