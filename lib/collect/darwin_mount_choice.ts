import type { DarwinMount } from "../parse/darwin_mounts.ts";
import { leaveOut, type MountVerdict } from "./mount_choice.ts";

/** A mount of a Mac and why it is counted or not. */
export interface DarwinMountVerdict extends MountVerdict {
  /** Never to be asked synchronously: another machine or a program has to answer. */
  mayHang: boolean;
}

/**
 * Decides which mounts make up a Mac's disk space, each container of volumes once.
 *
 * All volumes of an APFS container share its space and each claims all of it, so one speaks for it:
 * the root for its own. Where the user's list `include` has any, only those count. The answer has
 * the root first.
 */
export function chooseDarwinMounts(
  mounts: readonly DarwinMount[],
  include: readonly string[],
): DarwinMountVerdict[] {
  const wanted = new Set(include.map((path) => path.replace(/(?<=.)\/+$/, "")));
  const present = [...new Map(mounts.map((mount) => [mount.mountPoint, mount])).values()];
  const rootFirst = present.toSorted((a, b) =>
    Number(b.mountPoint === "/") - Number(a.mountPoint === "/")
  );
  const speakers = new Map<string, string>();
  const verdicts = rootFirst.map((mount): DarwinMountVerdict => {
    const mayHang = !isDisk(mount);
    const { mountPoint, source, type } = mount;
    const space = spaceOf(mount);
    const speaker = speakers.get(space);
    const unwanted = wanted.size > 0 && !wanted.has(mountPoint);
    const rule = unwanted
      ? "not in --include-mountpoint"
      : speaker !== undefined
      ? `shares the space of ${speaker}`
      : wanted.size > 0
      ? undefined
      : whyLeftOut(mount);
    if (rule !== undefined) return { ...leaveOut(mount, rule), mayHang };
    speakers.set(space, mountPoint);
    const reason = wanted.size > 0
      ? "included by --include-mountpoint"
      : mountPoint === "/"
      ? "the root"
      : `disk: ${type}`;
    return { mountPoint, source, type, counted: true, rule: reason, mayHang };
  });
  const there = new Set(present.map(({ mountPoint }) => mountPoint));
  const missing = [...wanted].filter((path) => !there.has(path)).map((mountPoint) => ({
    ...leaveOut({ mountPoint, source: "", type: "" }, "nothing is mounted there"),
    mayHang: false,
  }));
  return [...verdicts, ...missing];
}

function whyLeftOut(mount: DarwinMount): string | undefined {
  const { mountPoint, source, type, readOnly } = mount;
  if (mountPoint === "/") return undefined;
  if (type === "autofs") return `mounted on demand: ${type}`;
  if (/@\/dev\/\w+$/.test(source)) return "snapshot";
  if (!isDisk(mount)) return `no disk of this machine: ${type}`;
  // Disk images, simulators and the system's own extensions are; what is being filled is not.
  if (readOnly) return `read-only: ${type}`;
  return mountPoint.startsWith("/System/Volumes/") ? "part of /System/Volumes" : undefined;
}

function isDisk({ source, local }: DarwinMount): boolean {
  return local && /^(?:.*@)?\/dev\//.test(source);
}

/** `/dev/disk3s1s1` is a snapshot of volume 1 in container 3; other file systems are alone on theirs. */
function spaceOf({ source, type }: DarwinMount): string {
  const container = type === "apfs" ? /^\/dev\/(disk\d+)s\d/.exec(source)?.[1] : undefined;
  return container ?? source;
}
