import type { Mount } from "../parse/mountinfo.ts";

const NETWORK = new Set([
  ...["nfs", "nfs4", "cifs", "smb", "smb3", "smbfs", "ncpfs", "9p", "afs", "coda", "ceph"],
  ...["lustre", "beegfs", "gpfs", "orangefs", "pvfs2"],
]);
const SHARED_FOLDER = new Set(["virtiofs", "vboxsf", "prl_fs", "vmhgfs", "drvfs", "fakeowner"]);
const LAYERS = new Set(["overlay", "overlayfs", "aufs", "unionfs"]);
const IMAGE = new Set(["squashfs", "erofs", "iso9660", "udf", "cramfs", "romfs"]);
const MEMORY = new Set(["tmpfs", "ramfs", "devtmpfs", "hugetlbfs"]);

/** Of all others the source is a device file, or what is mounted is no disk. */
const NAMES_ITS_SOURCE = new Set(["zfs", "btrfs", "bcachefs", "ubifs", "jffs2", "yaffs2", "simfs"]);

/** Trees for what passes by, or that show again what is on disk elsewhere. */
const TREES = [
  ...["/tmp", "/var/tmp", "/run", "/var/run", "/dev", "/proc", "/sys", "/nix/store"],
  // Android's packages: images that lie in its system and on its data disk.
  "/apex",
];

/** Why a mount is not counted by default, in plain words; `undefined` when it is. */
export function whyLeftOut({ mountPoint, type, source }: Mount): string | undefined {
  if (mountPoint === "/") return undefined;
  const tree = TREES.find((tree) => mountPoint === tree || mountPoint.startsWith(`${tree}/`));
  if (NETWORK.has(type)) return `network file system: ${type}`;
  if (SHARED_FOLDER.has(type)) return `shared by the host: ${type}`;
  if (type === "autofs") return `mounted on demand: ${type}`;
  if (isFuse(type)) return `served by a program: ${type}`;
  if (LAYERS.has(type)) return `layers over another file system: ${type}`;
  if (IMAGE.has(type)) return `read-only image: ${type}`;
  if (MEMORY.has(type) || /^\/dev\/(?:block\/)?z?ram\d/.test(source)) return `in memory: ${type}`;
  if (tree !== undefined) return `part of ${tree}`;
  if (/^\/dev\/(?:block\/)?loop\d/.test(source)) return "loop device";
  if (type === "zfs" && source.includes("@")) return "snapshot";
  return source.startsWith("/dev/") || NAMES_ITS_SOURCE.has(type) ? undefined : `no disk: ${type}`;
}

/** Whether asking for its space may hang: another machine or a program has to answer. */
export function mayHang({ mountPoint, type }: Mount): boolean {
  // When the root hangs the agent hangs, asked or not.
  if (mountPoint === "/") return false;
  return NETWORK.has(type) || SHARED_FOLDER.has(type) || type === "autofs" || isFuse(type);
}

/** Whether its space is that of another file system, which may be mounted as well. */
export function isLayered(type: string): boolean {
  return LAYERS.has(type);
}

/** `fuseblk` is a disk by its device; only its driver is a program. */
function isFuse(type: string): boolean {
  return type === "fuse" || type.startsWith("fuse.");
}
