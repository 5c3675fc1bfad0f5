import type { Mount } from "../parse/mountinfo.ts";

const NETWORK_TYPES = new Set([
  ...["nfs", "nfs4", "cifs", "smb", "smb3", "smbfs", "ncpfs", "9p", "afs", "coda", "ceph"],
  ...["lustre", "beegfs", "gpfs", "orangefs", "pvfs2"],
]);
const SHARED_FOLDER_TYPES = new Set([
  "virtiofs",
  "vboxsf",
  "prl_fs",
  "vmhgfs",
  "drvfs",
  "fakeowner",
]);
const LAYERED_TYPES = new Set(["overlay", "overlayfs", "aufs", "unionfs"]);
const IMAGE_TYPES = new Set(["squashfs", "erofs", "iso9660", "udf", "cramfs", "romfs"]);
const MEMORY_TYPES = new Set(["tmpfs", "ramfs", "devtmpfs", "hugetlbfs"]);

/** Of all others the source is a device file, or what is mounted is no disk. */
const TYPES_WITHOUT_DEVICE = new Set([
  "zfs",
  "btrfs",
  "bcachefs",
  "ubifs",
  "jffs2",
  "yaffs2",
  "simfs",
]);

/** Trees for what passes by, or that show again what is on disk elsewhere. */
const IGNORED_TREES = [
  ...["/tmp", "/var/tmp", "/run", "/var/run", "/dev", "/proc", "/sys", "/nix/store"],
  // Android's packages: images that lie in its system and on its data disk.
  "/apex",
];

/** Why a mount is not counted by default, in plain words; `undefined` when it is. */
export function ignoreReason({ mountPoint, type, source }: Mount): string | undefined {
  if (mountPoint === "/") return undefined;
  const tree = IGNORED_TREES.find((tree) =>
    mountPoint === tree || mountPoint.startsWith(`${tree}/`)
  );
  if (NETWORK_TYPES.has(type)) return `network file system: ${type}`;
  if (SHARED_FOLDER_TYPES.has(type)) return `shared by the host: ${type}`;
  if (type === "autofs") return `mounted on demand: ${type}`;
  if (isFuse(type)) return `served by a program: ${type}`;
  if (LAYERED_TYPES.has(type)) return `layers over another file system: ${type}`;
  if (IMAGE_TYPES.has(type)) return `read-only image: ${type}`;
  if (MEMORY_TYPES.has(type) || /^\/dev\/(?:block\/)?z?ram\d/.test(source)) {
    return `in memory: ${type}`;
  }
  if (tree !== undefined) return `part of ${tree}`;
  if (/^\/dev\/(?:block\/)?loop\d/.test(source)) return "loop device";
  if (type === "zfs" && source.includes("@")) return "snapshot";
  return source.startsWith("/dev/") || TYPES_WITHOUT_DEVICE.has(type)
    ? undefined
    : `no disk: ${type}`;
}

/** Whether asking for its space may hang: another machine or a program has to answer. */
export function mayHang({ mountPoint, type }: Mount): boolean {
  // When the root hangs the agent hangs, asked or not.
  if (mountPoint === "/") return false;
  return NETWORK_TYPES.has(type) || SHARED_FOLDER_TYPES.has(type) || type === "autofs" ||
    isFuse(type);
}

/** Whether its space is that of another file system, which may be mounted as well. */
export function isLayered(type: string): boolean {
  return LAYERED_TYPES.has(type);
}

/** `fuseblk` is a disk by its device; only its driver is a program. */
function isFuse(type: string): boolean {
  return type === "fuse" || type.startsWith("fuse.");
}

/** A mount and why it is counted or not. */
export interface MountDecision {
  mountPoint: string;
  source: string;
  type: string;
  counted: boolean;
  rule: string;
}

/** A mount whose space is asked for. */
export interface CountedMount extends MountDecision {
  counted: true;
  /** Where to ask. */
  path: string;
  /** Never to be asked synchronously. */
  mayHang: boolean;
  /** Data sets of one ZFS pool share its free space. */
  pool?: string;
}

/** A mount that is left out. */
export interface IgnoredMount extends MountDecision {
  counted: false;
}

/** What decides beside the mounts themselves. */
export interface MountContext {
  /** The user's list; where it has any, only those count, whatever they are. */
  include: readonly string[];
  /** The process's own mounts, when the mounts to choose from are those of another root. */
  visible?: readonly Mount[];
  /** Whether a mount point is a file, as containers bind them; asked only of what else would count. */
  isFile(path: string): boolean;
}

/**
 * Decides which mounts make up the machine's disk space, each file system once.
 *
 * Another root's paths mean nothing here, but the space of a file system is the same wherever any part
 * of it is mounted: then each is asked for at a mount of the same device that this process can see.
 * The answer has the root first, then the kernel's order.
 */
export function filterMounts(
  mounts: readonly Mount[],
  around: MountContext,
): (CountedMount | IgnoredMount)[] {
  const include = new Set(around.include.map((path) => path.replace(/(?<=.)\/+$/, "")));
  const present = visibleMounts(mounts);
  const visible = around.visible && visibleByDevice(around.visible);
  const names = new Map<string, string>();
  const verdicts = new Map<Mount, CountedMount | IgnoredMount>();
  const judge = (mount: Mount) => {
    const rule = ignoreReasonFor(mount, include);
    if (rule !== undefined) return ignoreMount(mount, rule);
    const keys = identityKeys(mount);
    const same = keys.map((key) => names.get(key)).find((name) => name !== undefined);
    if (same !== undefined) return ignoreMount(mount, `same file system as ${same}`);
    const path = visible ? visible(mount) : mount.mountPoint;
    if (path === undefined) return ignoreMount(mount, "not visible from here");
    const isWanted = include.size > 0;
    if (!visible && !isWanted && isFileBind(mount, around)) return ignoreMount(mount, "a file");
    for (const key of keys) names.set(key, mount.mountPoint);
    return counted(mount, { path, isWanted });
  };
  for (const mount of present.toSorted(byPreference)) verdicts.set(mount, judge(mount));
  const chosen = present.flatMap((mount) => verdicts.get(mount) ?? []);
  const there = new Set(present.map(({ mountPoint }) => mountPoint));
  const missing = [...include].filter((path) => !there.has(path));
  return [
    ...chosen,
    ...missing.map((mountPoint) =>
      ignoreMount({ mountPoint, source: "", type: "" }, "nothing is mounted there")
    ),
  ];
}

function ignoreReasonFor(mount: Mount, include: ReadonlySet<string>): string | undefined {
  if (include.size === 0) return ignoreReason(mount);
  return include.has(mount.mountPoint) ? undefined : "not in --include-mountpoint";
}

/** A whole file system has a folder at its root. */
function isFileBind(mount: Mount, { isFile }: MountContext): boolean {
  return mount.root !== "/" && !mayHang(mount) && isFile(mount.mountPoint);
}

/** A later mount hides an earlier one of the same mount point; the root comes first. */
function visibleMounts(mounts: readonly Mount[]): Mount[] {
  const byPath = new Map(mounts.map((mount) => [mount.mountPoint, mount]));
  const root = byPath.get("/");
  byPath.delete("/");
  return root ? [root, ...byPath.values()] : [...byPath.values()];
}

/** Of several mounts of one file system the root speaks for it, then the whole of it, then the shortest path. */
function byPreference(a: Mount, b: Mount): number {
  return rank(a) - rank(b) || a.mountPoint.length - b.mountPoint.length;
}

function rank({ mountPoint, root }: Mount): number {
  return mountPoint === "/" ? 0 : root === "/" ? 1 : 2;
}

/** What tells a file system apart; some kernels give each btrfs subvolume a device number of its own. */
function identityKeys({ device, type, source }: Mount): string[] {
  return type === "btrfs" && source.startsWith("/") ? [device, source] : [device];
}

function visibleByDevice(own: readonly Mount[]): (mount: Mount) => string | undefined {
  const byDevice = Map.groupBy(visibleMounts(own), ({ device }) => device);
  return ({ device, root }) => {
    const mounts = byDevice.get(device);
    return (mounts?.find((mount) => mount.root === root) ?? mounts?.[0])?.mountPoint;
  };
}

function counted(
  mount: Mount,
  options: { path: string; isWanted: boolean },
): CountedMount {
  const { mountPoint, source, type } = mount;
  const pool = type === "zfs" ? source.split("/", 1)[0] : undefined;
  const { path, isWanted } = options;
  const rule = isWanted
    ? "included by --include-mountpoint"
    : mountPoint === "/"
    ? "the root"
    : pool === undefined
    ? `disk: ${type}`
    : `part of ZFS pool ${pool}`;
  const hangs = mayHang(mount);
  return {
    ...{ mountPoint, source, type, counted: true, rule, path, mayHang: hangs },
    ...(pool ? { pool } : {}),
  };
}

/** The verdict on a mount that does not count after all. */
export function ignoreMount(
  { mountPoint, source, type }: Pick<Mount, "mountPoint" | "source" | "type">,
  rule: string,
): IgnoredMount {
  return { mountPoint, source, type, counted: false, rule };
}
