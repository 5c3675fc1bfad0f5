import { type DarwinMount, parseDarwinMounts } from "../parse/mounts_darwin.ts";
import type { MountFilter } from "./disk.ts";
import {
  type CountedMount,
  type IgnoredMount,
  ignoreMount,
  missingMounts,
  rootFirst,
  wantedMountPoints,
} from "./mount_filter.ts";

/**
 * The filter of the output of `mount`: which mounts count as a Mac's disk space, each APFS container once.
 *
 * All volumes of a container share its space and each reports all of it, so only one counts: the root
 * for its own container. With a non-empty `include` only those mount points count.
 */
export function darwinMountFilter(include: readonly string[]): MountFilter {
  return (text) => filterMounts(parseDarwinMounts(text), wantedMountPoints(include));
}

function filterMounts(
  mounts: readonly DarwinMount[],
  wanted: ReadonlySet<string>,
): (CountedMount | IgnoredMount)[] {
  const present = [...new Map(mounts.map((mount) => [mount.mountPoint, mount])).values()];
  /** The mount that is counted for each space. */
  const countedMounts = new Map<string, string>();
  const decisions = rootFirst(present).map((mount) => {
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
    const what = { mountPoint, source, type, counted: true as const, rule: reason };
    return { ...what, path: mountPoint, mayHang: !isDisk(mount) };
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
