import { attempt } from "../attempt.ts";
import type { FileSystemUse } from "../host/host.ts";
import type { DarwinHost } from "../host/host_darwin.ts";
import { type DarwinMount, parseDarwinMounts } from "../parse/mounts_darwin.ts";
import type { Usage } from "../types.ts";
import { sumUsage } from "./disk.ts";
import {
  ignoreMount,
  missingMounts,
  type MountDecision,
  rootFirst,
  wantedMountPoints,
} from "./mount_filter.ts";
import { NonblockingStatfs } from "./nonblocking_statfs.ts";
import type { PolledCommand } from "./polled_command.ts";

/** Decision on a mount of a Mac. */
export interface DarwinMountDecision extends MountDecision {
  /** Of one that counts: `statfs` may hang, because another machine or a program answers it. */
  mayHang?: boolean;
}

/**
 * Decides which mounts count as a Mac's disk space, each APFS container once.
 *
 * All volumes of a container share its space and each reports all of it, so only one counts: the root
 * for its own container. With a non-empty `include` only those mount points count. The root is first
 * in the result.
 */
export function filterDarwinMounts(
  mounts: readonly DarwinMount[],
  include: readonly string[],
): DarwinMountDecision[] {
  const wanted = wantedMountPoints(include);
  const present = [...new Map(mounts.map((mount) => [mount.mountPoint, mount])).values()];
  /** The mount that is counted for each space. */
  const countedMounts = new Map<string, string>();
  const decisions = rootFirst(present).map((mount): DarwinMountDecision => {
    const { mountPoint, source, type } = mount;
    const space = containerOf(mount);
    const countedMount = countedMounts.get(space);
    const rule = wanted.size > 0 && !wanted.has(mountPoint)
      ? "not in --include-mountpoint"
      : countedMount !== undefined
      ? `shares the space of ${countedMount}`
      : wanted.size > 0
      ? undefined
      : darwinIgnoreReason(mount);
    if (rule !== undefined) return ignoreMount(mount, rule);
    countedMounts.set(space, mountPoint);
    const reason = wanted.size > 0
      ? "included by --include-mountpoint"
      : mountPoint === "/"
      ? "root file system"
      : `disk: ${type}`;
    return { mountPoint, source, type, counted: true, rule: reason, mayHang: !isDisk(mount) };
  });
  return [...decisions, ...missingMounts(wanted, present)];
}

function darwinIgnoreReason(mount: DarwinMount): string | undefined {
  const { mountPoint, source, type, readOnly } = mount;
  if (mountPoint === "/") return undefined;
  if (type === "autofs") return `mounted on demand: ${type}`;
  if (/@\/dev\/\w+$/.test(source)) return "snapshot";
  if (!isDisk(mount)) return `not a local disk: ${type}`;
  // Disk images, simulators and system extensions are read-only.
  if (readOnly) return `read-only: ${type}`;
  return mountPoint.startsWith("/System/Volumes/") ? "part of /System/Volumes" : undefined;
}

function isDisk({ source, local }: DarwinMount): boolean {
  return local && /^(?:.*@)?\/dev\//.test(source);
}

/** `/dev/disk3s1s1` is a snapshot of volume 1 in container 3; other file systems share no space. */
function containerOf({ source, type }: DarwinMount): string {
  const container = type === "apfs" ? /^\/dev\/(disk\d+)s\d/.exec(source)?.[1] : undefined;
  return container ?? source;
}

/**
 * Measures a Mac's disk space, each APFS container once; used is what can't be allocated any more.
 *
 * Mounts are selected from each output of `mount`. File systems that may hang are queried in the
 * background and count with their last answer.
 */
export class DarwinDiskCollector {
  readonly #host: Pick<DarwinHost, "statfs">;
  readonly #mounts: PolledCommand;
  readonly #include: readonly string[];
  readonly #statfs: NonblockingStatfs;
  #decisions: DarwinMountDecision[] = [];
  #decidedAtMs: number | undefined;

  constructor(
    host: Pick<DarwinHost, "statfs" | "statfsAsync">,
    mounts: PolledCommand,
    include: readonly string[],
  ) {
    this.#host = host;
    this.#mounts = mounts;
    this.#include = include;
    this.#statfs = new NonblockingStatfs(host);
  }

  /**
   * Total and used bytes of all counted mounts; `undefined` before the first output of `mount`, and
   * when no file system has answered.
   *
   * @throws {Error} When `mount` failed or its output is malformed.
   */
  collect(): Usage | undefined {
    const text = this.#mounts.read();
    if (text === undefined) return undefined;
    if (this.#mounts.atMs !== this.#decidedAtMs) {
      this.#decisions = filterDarwinMounts(parseDarwinMounts(text), this.#include);
      this.#decidedAtMs = this.#mounts.atMs;
      const paths = this.#decisions.filter((it) => it.mayHang);
      this.#statfs.prune(new Set(paths.map(({ mountPoint }) => mountPoint)));
    }
    const answers: { use: FileSystemUse }[] = [];
    this.#decisions = this.#decisions.map((decision) => {
      const { mountPoint, counted, mayHang } = decision;
      if (!counted) return decision;
      const use = mayHang
        ? this.#statfs.query(mountPoint)
        : attempt(() => this.#host.statfs(mountPoint));
      if (use === undefined && !mayHang) return ignoreMount(decision, "statfs failed");
      // A volume reports as free what other volumes of its container use; available is right.
      if (use) answers.push({ use: { ...use, freeBlocks: use.availableBlocks } });
      return decision;
    });
    return sumUsage(answers);
  }

  /** Decisions on all mounts, the root first; empty before the first call of `collect()`. */
  mounts(): MountDecision[] {
    return this.#decisions.map(({ mayHang: _, ...decision }) => decision);
  }
}
