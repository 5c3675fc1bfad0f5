import { assertEquals } from "@std/assert";
import {
  filterMounts,
  ignoreReason,
  isLayered,
  mayHang,
  type MountContext,
} from "../../lib/metrics/mount_filter.ts";
import { parseMountinfo } from "../../lib/parse/mountinfo.ts";
import { assertDataEquals } from "./assert_data.ts";

/** The decisions on the mounts of a text; by default nothing is included, and none is a file. */
function decide(text: string, around: Partial<MountContext> = {}) {
  return filterMounts(parseMountinfo(text), { include: [], isFile: () => false, ...around });
}

function fixture(path: string): string {
  return Deno.readTextFileSync(new URL(`../fixtures/${path}`, import.meta.url));
}

/** The same of a recorded machine. */
function choose(path: string, around: Partial<MountContext> = {}) {
  return decide(fixture(path), around);
}

function rules(decisions: ReturnType<typeof choose>): Record<string, string> {
  return Object.fromEntries(decisions.map(({ mountPoint, counted, rule }) => {
    return [mountPoint, `${counted ? "counted" : "left out"}: ${rule}`];
  }));
}

function counted(decisions: ReturnType<typeof choose>): string[] {
  return decisions.filter((it) => it.counted).map(({ mountPoint }) => mountPoint);
}

Deno.test("filterMounts() knows btrfs by its source where subvolumes have devices of their own", () => {
  const found = rules(choose("synology/proc/self/mountinfo"));
  assertDataEquals(found["/volume1"], "counted: disk: btrfs");
  assertDataEquals(found["/volume1/@docker"], "left out: same file system as /volume1");
  assertDataEquals(found["/volume1/@docker/btrfs"], "left out: same file system as /volume1");
  assertDataEquals(found["/volumeUSB1/usbshare"], "counted: disk: fuseblk");
});

Deno.test("filterMounts() drops single files but keeps folders of the same disk", () => {
  const decisions = choose("docker/proc/self/mountinfo", {
    isFile: (path) => path.startsWith("/etc/") || path.endsWith(".json"),
  });
  const found = rules(decisions);
  assertDataEquals(counted(decisions), ["/", "/data"]);
  assertDataEquals(found["/etc/hosts"], "left out: same file system as /data");
  const onlyFiles = choose("docker/proc/self/mountinfo", { isFile: () => true });
  assertDataEquals(counted(onlyFiles), ["/"]);
  assertDataEquals(rules(onlyFiles)["/etc/hosts"], "left out: file");
});

Deno.test("filterMounts() calls isFile() only for mounts that would count", () => {
  const asked: string[] = [];
  choose("storage-server/proc/self/mountinfo", {
    isFile: (path) => {
      asked.push(path);
      return false;
    },
  });
  assertDataEquals(asked, []);
});

Deno.test("filterMounts() names the pool of each ZFS data set", () => {
  const decisions = choose("proxmox/proc/self/mountinfo");
  const pools = decisions.map((it) => [it.mountPoint, it.counted ? it.pool : false]);
  assertDataEquals(pools.filter(([, pool]) => pool !== false), [
    ["/", "rpool"],
    ["/rpool", "rpool"],
    ["/rpool/ROOT", "rpool"],
    ["/rpool/data", "rpool"],
    ["/rpool/data/subvol-101-disk-0", "rpool"],
    ["/tank", "tank"],
    ["/boot/efi", undefined],
  ]);
});

Deno.test("filterMounts() counts only included mount points, whatever their type", () => {
  const decisions = choose("proxmox/proc/self/mountinfo", {
    include: ["/mnt/pve/backup/", "/run", "/nowhere"],
    isFile: () => true,
  });
  assertDataEquals(counted(decisions), ["/run", "/mnt/pve/backup"]);
  const hanging = decisions.filter((it) => it.counted && it.mayHang);
  assertDataEquals(hanging.map(({ mountPoint }) => mountPoint), ["/mnt/pve/backup"]);
  const found = rules(decisions);
  assertDataEquals(found["/"], "left out: not in --include-mountpoint");
  assertDataEquals(found["/run"], "counted: included by --include-mountpoint");
  assertDataEquals(found["/nowhere"], "left out: nothing is mounted there");
});

Deno.test("filterMounts() queries a host's file systems at visible mounts of their devices", () => {
  const visible = parseMountinfo(`${fixture("docker/proc/self/mountinfo").trimEnd()}
90 67 8:17 / /host/srv ro - xfs /dev/sdb1 rw
91 67 8:17 /a /a ro - xfs /dev/sdb1 rw
`);
  const decisions = choose("docker-host/proc/1/mountinfo", { visible, isFile: () => true });
  const paths = decisions.map((it) => [it.mountPoint, it.counted ? it.path : it.rule]);
  assertDataEquals(Object.fromEntries(paths), {
    // No mount here is of the host's whole root, but each part of it answers for all.
    "/": "/data",
    "/proc": "part of /proc",
    "/dev": "in memory: devtmpfs",
    "/srv": "/host/srv",
    "/backup": "not visible from here",
    "/var/lib/docker/overlay2/b1946ac9/merged": "layers over another file system: overlay",
    "/snap/core22/1380": "read-only image: squashfs",
    "/mnt/media": "served by a program: fuse.mergerfs",
  });
});

Deno.test("filterMounts() prefers the root, then the whole file system", () => {
  const text = `1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 8:1 /a /a rw - ext4 /dev/sda1 rw
3 1 8:2 /x /x rw - xfs /dev/sda2 rw
4 1 8:2 / /long/path rw - xfs /dev/sda2 rw
5 1 8:3 /y/z /longer rw - xfs /dev/sda3 rw
6 1 8:3 /y /short rw - xfs /dev/sda3 rw
`;
  assertDataEquals(counted(decide(text)), ["/", "/long/path", "/short"]);
  // The container's own view has parts first too: those that are the same are asked.
  const visible = parseMountinfo(`1 0 8:2 /x /host/x rw - xfs /dev/sda2 rw
2 0 8:2 / /host/whole rw - xfs /dev/sda2 rw
`);
  const found = decide(text, { visible });
  assertDataEquals(found.flatMap((it) => it.counted ? [it.path] : []), ["/host/whole"]);
});

Deno.test("filterMounts() uses the later of two mounts at one mount point", () => {
  const text = `1 0 0:1 / / rw - rootfs rootfs rw
2 1 8:1 / / rw - ext4 /dev/sda1 rw
3 2 8:2 / /a rw - ext4 /dev/sda2 rw
4 3 0:9 / /a rw - tmpfs tmpfs rw
`;
  const decisions = decide(text);
  assertDataEquals(decisions.map(({ source, counted, rule }) => [source, counted, rule]), [
    ["rootfs", false, "hidden by another mount there"],
    ["/dev/sda1", true, "root file system"],
    ["/dev/sda2", false, "hidden by another mount there"],
    ["tmpfs", false, "in memory: tmpfs"],
  ]);
});

function mount(mountPoint: string, type = "ext4", source = "/dev/sda1") {
  return { device: "8:1", root: "/", mountPoint, type, source };
}

Deno.test("filterMounts() takes no mount of another root for a file of this one", () => {
  const visible = parseMountinfo("5 1 8:2 / /host/data rw - xfs /dev/sda2 rw\n");
  const text = "7 1 8:2 /x /data rw - xfs /dev/sda2 rw\n";
  assertDataEquals(counted(decide(text, { visible, isFile: () => true })), ["/data"]);
});

Deno.test("ignoreReason() keeps disks", () => {
  const kept = [
    mount("/home"),
    mount("/data", "xfs", "/dev/mapper/vg-data"),
    mount("/usb", "fuseblk", "/dev/sdb1"),
    mount("/boot/efi", "vfat"),
    mount("/tank/a", "zfs", "tank/a"),
    mount("/overlay", "ubifs", "ubi0:rootfs_data"),
    mount("/unheard", "newfs", "/dev/sdz"),
    // Only whole path components make a tree.
    mount("/runner"),
    mount("/run-data"),
    mount("/tmpfiles"),
    mount("/nix"),
    mount("/system"),
  ];
  for (const it of kept) assertEquals(ignoreReason(it), undefined, it.mountPoint);
});

Deno.test("ignoreReason() keeps the root, whatever it is, and counts a drive with the file system of discs", () => {
  const types = ["overlay", "tmpfs", "nfs", "squashfs", "fuse.fuse-overlayfs", "rootfs"];
  for (const type of types) assertEquals(ignoreReason(mount("/", type, "/dev/loop0")), undefined);
  assertEquals(ignoreReason(mount("/a", "udf", "/dev/sdb1")), undefined);
});

Deno.test("ignoreReason() names the rule by which a mount is left out", () => {
  const table: [rule: string, ...mounts: ReturnType<typeof mount>[]][] = [
    ["mounted on demand: autofs", mount("/a", "autofs", "systemd-1")],
    ["served by a program: fuse.sshfs", mount("/a", "fuse.sshfs", "host:")],
    ["served by a program: fuse", mount("/etc/pve", "fuse", "/dev/fuse")],
    ["read-only image: udf", mount("/a", "udf", "/dev/sr0")],
    ["in memory: tmpfs", mount("/a", "tmpfs", "tmpfs"), mount("/run", "tmpfs", "tmpfs")],
    ["in memory: ext4", mount("/var/log", "ext4", "/dev/zram0")],
    ["in memory: ext4", mount("/cache", "ext4", "/dev/block/zram0")],
    ["in memory: ext4", mount("/boot/disk", "ext4", "/dev/ram0")],
    ["part of /run", mount("/run"), mount("/run/media/usb")],
    ["part of /tmp", mount("/tmp"), mount("/tmp/a")],
    ["part of /nix/store", mount("/nix/store")],
    ["part of /apex", mount("/apex/com.android.art@34", "ext4", "/dev/block/dm-20")],
    ["loop device", mount("/a", "ext4", "/dev/loop0"), mount("/a", "f2fs", "/dev/block/loop12")],
    ["snapshot", mount("/a", "zfs", "tank/a@daily")],
    ["not a disk: cgroup2", mount("/a", "cgroup2", "cgroup2")],
    ["not a disk: lxd", mount("/a", "lxd", "")],
  ];
  for (const [rule, ...mounts] of table) {
    for (const it of mounts) assertEquals(ignoreReason(it), rule);
  }
});

Deno.test("ignoreReason() knows the types of each kind", () => {
  const kinds: Readonly<Record<string, readonly string[]>> = {
    "network file system": [
      ...["nfs", "nfs4", "cifs", "smb", "smb3", "smbfs", "ncpfs", "9p", "afs", "coda", "ceph"],
      ...["lustre", "beegfs", "gpfs", "orangefs", "pvfs2"],
    ],
    "shared by the host": ["virtiofs", "vboxsf", "prl_fs", "vmhgfs", "drvfs", "fakeowner"],
    "layers over another file system": ["overlay", "overlayfs", "aufs", "unionfs"],
    "read-only image": ["squashfs", "erofs", "iso9660", "cramfs", "romfs"],
    "in memory": ["tmpfs", "ramfs", "devtmpfs", "hugetlbfs"],
  };
  for (const [kind, types] of Object.entries(kinds)) {
    for (const type of types) assertEquals(ignoreReason(mount("/a", type)), `${kind}: ${type}`);
  }
  for (const type of ["zfs", "btrfs", "bcachefs", "ubifs", "jffs2", "yaffs2", "simfs"]) {
    assertEquals(ignoreReason(mount("/a", type, "pool")), undefined, type);
  }
  for (const tree of ["/var/tmp", "/var/run", "/dev", "/proc", "/sys"]) {
    assertEquals(ignoreReason(mount(`${tree}/a`)), `part of ${tree}`);
  }
});

Deno.test("mayHang() is true of what others have to answer for, but never of the root", () => {
  const slow = ["nfs", "cifs", "9p", "fuse", "fuse.sshfs", "autofs", "virtiofs"];
  for (const type of [...slow, "fuseblk", "ntfs", "overlay", "unheard"]) {
    assertEquals(mayHang(mount("/a", type)), true, type);
    assertEquals(mayHang(mount("/", type)), false, type);
  }
  const answered = [
    ...["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "bcachefs", "f2fs", "jfs", "reiserfs"],
    ...["vfat", "exfat", "ntfs3", "ubifs", "jffs2", "yaffs2", "simfs", "squashfs", "erofs"],
    ...["tmpfs", "ramfs", "devtmpfs", "hugetlbfs"],
  ];
  for (const type of answered) {
    assertEquals(mayHang(mount("/a", type)), false, type);
  }
});

Deno.test("isLayered() knows overlays", () => {
  for (const type of ["overlay", "overlayfs", "aufs", "unionfs", "chroot"]) {
    assertEquals(isLayered(type), true);
  }
  assertEquals(isLayered("ext4"), false);
});

/** Captured with `mount a.img k/sub; mount b.img k; mkdir k/sub` on Linux 6.18, and what lies around it. */
const HIDDEN = `49 1 254:0 / / rw,relatime - ext4 /dev/vda rw
75 49 0:42 / /mnt rw,relatime - xfs /dev/vdb rw
76 75 7:0 / /mnt/k/sub rw,relatime - ext4 /dev/sda1 rw
77 75 7:1 / /mnt/k rw,relatime - ext4 /dev/sdb1 rw
`;

Deno.test("filterMounts() does not count a mount below a folder that another mount covers", () => {
  const found = rules(decide(HIDDEN));
  assertEquals(found, {
    "/": "counted: root file system",
    "/mnt": "counted: disk: xfs",
    "/mnt/k/sub": "left out: hidden by the mount on /mnt/k",
    "/mnt/k": "counted: disk: ext4",
  });
});

Deno.test("filterMounts() does not count a hidden mount that is included, and counts one on its cover", () => {
  const text = `${HIDDEN}78 77 8:1 / /mnt/k/other rw - ext4 /dev/sdc1 rw\n`;
  const found = rules(decide(text, { include: ["/mnt/k/sub", "/mnt/k/other"] }));
  assertEquals(found["/mnt/k/sub"], "left out: hidden by the mount on /mnt/k");
  assertEquals(found["/mnt/k/other"], "counted: included by --include-mountpoint");
});

Deno.test("filterMounts() counts two disks that the kernel gives one name, unless they are btrfs", () => {
  const text = (type: string) =>
    `1 0 8:1 / / rw - ${type} /dev/root rw\n2 1 8:2 / /a rw - ${type} /dev/root rw\n`;
  assertEquals(counted(decide(text("ext4"))), ["/", "/a"]);
  assertEquals(counted(decide(text("btrfs"))), ["/"]);
});

Deno.test("filterMounts() asks for no file below a slow mount, and takes one that is included", () => {
  const text = `1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:50 / /nas rw - nfs4 nas:/a rw
3 2 8:2 /part /nas/disk rw - ext4 /dev/sdb1 rw
4 1 8:3 /hosts /etc/hosts rw - ext4 /dev/sdc1 rw
`;
  const asked: string[] = [];
  const isFile = (path: string) => (asked.push(path), true);
  const found = decide(text, { isFile });
  assertEquals([counted(found), asked], [["/", "/nas/disk"], ["/etc/hosts"]]);
  const included = decide(text, { include: ["/etc/hosts"], isFile });
  assertEquals(counted(included), ["/etc/hosts"]);
});

Deno.test("filterMounts() counts two disks of btrfs whose sources are no paths, and no root of no mounts", () => {
  const line = (id: number, folder: string) => `${id} 1 0:${id} / ${folder} rw - btrfs none rw\n`;
  const text = line(20, "/") + line(21, "/data").replace("21 1 ", "21 20 ");

  assertEquals(counted(decide(text)), ["/", "/data"]);
  assertEquals(decide(""), []);
});
