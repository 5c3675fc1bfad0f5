import type { Mount } from "../parse/mountinfo.ts";

const LAYERED_TYPES = new Set(["overlay", "overlayfs", "aufs", "unionfs"]);
const IMAGE_TYPES = new Set(["squashfs", "erofs", "iso9660"]);
const MEMORY_TYPES = new Set(["tmpfs", "ramfs", "devtmpfs", "hugetlbfs"]);

/**
 * File systems whose `statfs` the kernel answers from its memory. Whatever else there is may ask another
 * machine, a program (`fuseblk`), a layer or a dead disk, and hang.
 */
const ANSWERED_FROM_MEMORY = new Set([
  ...["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "bcachefs", "f2fs", "jfs", "reiserfs"],
  ...["vfat", "exfat", "ntfs3", "ubifs", "jffs2", "yaffs2", "simfs", "squashfs", "erofs"],
  ...MEMORY_TYPES,
]);

/** Disk file systems whose source is not a device file. */
const TYPES_WITHOUT_DEVICE = new Set([
  ...["zfs", "btrfs", "bcachefs", "ubifs", "jffs2", "yaffs2", "simfs"],
]);

/** Temporary trees, and trees that show files stored elsewhere. */
const IGNORED_TREES = [
  ...["/tmp", "/var/tmp", "/run", "/var/run", "/dev", "/proc", "/sys", "/nix/store"],
  // Android's packages are images stored on its system and data partitions.
  "/apex",
];

/** Reason why a mount is not counted by default; `undefined` when it is counted. */
export function ignoreReason(
  { mountPoint, type, source }: Pick<Mount, "mountPoint" | "type" | "source">,
): string | undefined {
  if (mountPoint === "/") return undefined;
  const tree = IGNORED_TREES.find((tree) =>
    mountPoint === tree || mountPoint.startsWith(`${tree}/`)
  );
  if (isFuse(type)) return `served by a program: ${type}`;
  if (IMAGE_TYPES.has(type) || /^\/dev\/sr\d/.test(source)) return `read-only image: ${type}`;
  if (MEMORY_TYPES.has(type) || /^\/dev\/(?:block\/)?z?ram\d/.test(source)) {
    return `in memory: ${type}`;
  }
  if (tree !== undefined) return `part of ${tree}`;
  if (/^\/dev\/(?:block\/)?loop\d/.test(source)) return "loop device";
  if (type === "zfs" && source.includes("@")) return "snapshot";
  return source.startsWith("/dev/") || TYPES_WITHOUT_DEVICE.has(type)
    ? undefined
    : `not a disk: ${type}`;
}

/** Whether `statfs` may hang, as it does where a machine, a program or a disk does not answer. */
export function mayHang({ mountPoint, type }: Pick<Mount, "mountPoint" | "type">): boolean {
  // A hanging root stops the agent anyway.
  return mountPoint !== "/" && !ANSWERED_FROM_MEMORY.has(type);
}

/** Whether the type is a layer over another file system, which may be mounted as well. */
export function isLayered(type: string): boolean {
  return LAYERED_TYPES.has(type);
}

/** `fuseblk` is excluded: it is a disk whose driver is a program. */
function isFuse(type: string): boolean {
  return type === "fuse" || type.startsWith("fuse.");
}

/** Decision on a mount, with its reason. */
export interface MountDecision {
  mountPoint: string;
  source: string;
  type: string;
  counted: boolean;
  rule: string;
}

/** A mount that counts. */
export interface CountedMount extends MountDecision {
  counted: true;
  /** Path for `statfs`. */
  path: string;
  /** `statfs` may hang and must not be called synchronously. */
  mayHang: boolean;
  /** ZFS pool, whose data sets share its free space. */
  pool?: string;
}

/** A mount that does not count. */
export interface IgnoredMount extends MountDecision {
  counted: false;
}

/** Inputs of the decision beside the mounts themselves. */
export interface MountContext {
  /** Mount points of `--include-mountpoint`; if there are any, only those count, whatever their type. */
  include: readonly string[];
  /** The process's own mounts, when `mounts` are those of another root. */
  visible?: readonly Mount[];
  /** Whether a mount point is a file, as in containers; called only for mounts that would count. */
  isFile(path: string): boolean;
}

/**
 * Decides which mounts count as disk space, each file system once.
 *
 * Paths of another root do not exist here, but a file system has the same usage at every mount of it:
 * then `statfs` uses a mount of the same device that is visible to this process. The result has the
 * root first, then the kernel's order.
 */
export function filterMounts(
  mounts: readonly Mount[],
  context: MountContext,
): (CountedMount | IgnoredMount)[] {
  const include = wantedMountPoints(context.include);
  const covers = findCovers(mounts);
  const visible = context.visible && visibleByDevice(context.visible);
  const slow = (context.visible ?? mounts).filter(mayHang).map(({ mountPoint }) => mountPoint);
  const leadsThroughSlow = (path: string) =>
    slow.some((folder) => path === folder || path.startsWith(`${folder}/`));
  const names = new Map<string, string>();
  const decisions = new Map<Mount, CountedMount | IgnoredMount>();
  const decide = (mount: Mount) => {
    const isWanted = include.has(mount.mountPoint);
    if (include.size > 0 && !isWanted) return ignoreMount(mount, "not in --include-mountpoint");
    const rule = isWanted ? undefined : ignoreReason(mount);
    if (rule !== undefined) return ignoreMount(mount, rule);
    const keys = identityKeys(mount);
    const same = keys.map((key) => names.get(key)).find((name) => name !== undefined);
    if (same !== undefined) return ignoreMount(mount, `same file system as ${same}`);
    const path = visible ? visible(mount) : mount.mountPoint;
    if (path === undefined) return ignoreMount(mount, "not visible from here");
    const mayHang = leadsThroughSlow(path);
    // Only a part of a file system can be a file.
    const mayBeFile = !visible && !isWanted && mount.root !== "/" && !mayHang;
    if (mayBeFile && context.isFile(path)) return ignoreMount(mount, "file");
    for (const key of keys) names.set(key, mount.mountPoint);
    return counted(mount, { path, isWanted, mayHang });
  };
  const present = mounts.filter((mount) => !covers.has(mount));
  for (const mount of present.toSorted(byPreference)) decisions.set(mount, decide(mount));
  for (const [mount, { mountPoint }] of covers) {
    const cover = mountPoint === mount.mountPoint
      ? "another mount there"
      : `the mount on ${mountPoint}`;
    decisions.set(mount, ignoreMount(mount, `hidden by ${cover}`));
  }
  const decided = rootFirst(mounts).flatMap((mount) => decisions.get(mount) ?? []);
  return [...decided, ...missingMounts(include, decided)];
}

/** The mount points of `--include-mountpoint`, without slashes at their ends. */
export function wantedMountPoints(include: readonly string[]): ReadonlySet<string> {
  return new Set(include.map((path) => path.replace(/(?<=.)\/+$/, "")));
}

/** Decisions on wanted mount points where none of the mounts is. */
export function missingMounts(
  wanted: ReadonlySet<string>,
  mounts: readonly Pick<Mount, "mountPoint">[],
): IgnoredMount[] {
  const there = new Set(mounts.map(({ mountPoint }) => mountPoint));
  return [...wanted].filter((path) => !there.has(path)).map((mountPoint) =>
    ignoreMount({ mountPoint, source: "", type: "" }, "nothing is mounted there")
  );
}

/**
 * Finds mounts that a later one covers, on the same mount point or on a folder above it, with that one.
 *
 * The kernel lists mounts in the order in which they were made. The root may be made after mounts below
 * it, which move along when the system changes to it.
 */
function findCovers(mounts: readonly Mount[]): Map<Mount, Mount> {
  const last = new Map(mounts.map((mount, index) => [mount.mountPoint, { mount, index }]));
  const covers = new Map<Mount, Mount>();
  for (const [index, mount] of mounts.entries()) {
    const cover = foldersOn(mount.mountPoint).map((folder) => last.get(folder))
      .find((it) => it !== undefined && it.index > index);
    if (cover !== undefined) covers.set(mount, cover.mount);
  }
  return covers;
}

/** The same mounts in their order, but the root first. */
export function rootFirst<M extends Pick<Mount, "mountPoint">>(mounts: readonly M[]): M[] {
  return mounts.toSorted((a, b) => Number(b.mountPoint === "/") - Number(a.mountPoint === "/"));
}

/** The path and the folders above it but the root: `/srv` and `/srv/data` for the last of them. */
function foldersOn(path: string): string[] {
  const folders: string[] = [];
  for (let end = path.indexOf("/", 1); end !== -1; end = path.indexOf("/", end + 1)) {
    folders.push(path.slice(0, end));
  }
  return [...folders, path];
}

/** Of several mounts of one file system the root counts, else the whole of it, else the shortest path. */
function byPreference(a: Mount, b: Mount): number {
  return rank(a) - rank(b) || a.mountPoint.length - b.mountPoint.length;
}

function rank({ mountPoint, root }: Mount): number {
  return mountPoint === "/" ? 0 : root === "/" ? 1 : 2;
}

/** Keys that identify a file system; some kernels give each btrfs subvolume its own device number. */
function identityKeys({ device, type, source }: Mount): string[] {
  return type === "btrfs" && source.startsWith("/") ? [device, source] : [device];
}

function visibleByDevice(own: readonly Mount[]): (mount: Mount) => string | undefined {
  const covers = findCovers(own);
  const reachable = rootFirst(own.filter((mount) => !covers.has(mount)));
  const byDevice = Map.groupBy(reachable, ({ device }) => device);
  return ({ device, root }) => {
    const mounts = byDevice.get(device);
    return (mounts?.find((mount) => mount.root === root) ?? mounts?.[0])?.mountPoint;
  };
}

function counted(
  mount: Mount,
  { path, isWanted, mayHang }: { path: string; isWanted: boolean; mayHang: boolean },
): CountedMount {
  const { mountPoint, source, type } = mount;
  const pool = type === "zfs" ? source.split("/", 1)[0] : undefined;
  const rule = isWanted
    ? "included by --include-mountpoint"
    : mountPoint === "/"
    ? "root file system"
    : pool === undefined
    ? `disk: ${type}`
    : `part of ZFS pool ${pool}`;
  return { mountPoint, source, type, counted: true, rule, path, mayHang, pool };
}

/** Makes the decision not to count a mount. */
export function ignoreMount(
  { mountPoint, source, type }: Pick<Mount, "mountPoint" | "source" | "type">,
  rule: string,
): IgnoredMount {
  return { mountPoint, source, type, counted: false, rule };
}
