import { assertEquals } from "@std/assert";
import { ignoreReason, isLayered, mayHang } from "../../lib/metrics/mount_filter.ts";

function mount(mountPoint: string, type = "ext4", source = "/dev/sda1") {
  return { device: "8:1", root: "/", mountPoint, type, source };
}

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

Deno.test("ignoreReason() keeps the root, whatever it is", () => {
  const types = ["overlay", "tmpfs", "nfs", "squashfs", "fuse.fuse-overlayfs", "rootfs"];
  for (const type of types) assertEquals(ignoreReason(mount("/", type, "/dev/loop0")), undefined);
});

Deno.test("ignoreReason() names the rule by which a mount is left out", () => {
  const table: [rule: string, ...mounts: ReturnType<typeof mount>[]][] = [
    ["network file system: nfs4", mount("/a", "nfs4", "server:/a")],
    ["network file system: cifs", mount("/a", "cifs", "//server/a")],
    ["network file system: 9p", mount("/a", "9p", "share")],
    ["shared by the host: virtiofs", mount("/a", "virtiofs", "share")],
    ["mounted on demand: autofs", mount("/a", "autofs", "systemd-1")],
    ["served by a program: fuse.sshfs", mount("/a", "fuse.sshfs", "host:")],
    ["served by a program: fuse", mount("/etc/pve", "fuse", "/dev/fuse")],
    ["layers over another file system: overlay", mount("/a", "overlay", "overlay")],
    ["read-only image: squashfs", mount("/snap/a", "squashfs", "/dev/loop1")],
    ["read-only image: erofs", mount("/a", "erofs", "/dev/dm-1")],
    ["read-only image: iso9660", mount("/a", "iso9660", "/dev/sr0")],
    ["in memory: tmpfs", mount("/a", "tmpfs", "tmpfs"), mount("/run", "tmpfs", "tmpfs")],
    ["in memory: ext4", mount("/var/log", "ext4", "/dev/zram0")],
    ["in memory: ext4", mount("/cache", "ext4", "/dev/block/zram0")],
    ["part of /run", mount("/run"), mount("/run/media/usb")],
    ["part of /tmp", mount("/tmp"), mount("/tmp/a")],
    ["part of /nix/store", mount("/nix/store")],
    ["part of /apex", mount("/apex/com.android.art@34", "ext4", "/dev/block/dm-20")],
    ["loop device", mount("/a", "ext4", "/dev/loop0"), mount("/a", "f2fs", "/dev/block/loop12")],
    ["snapshot", mount("/a", "zfs", "tank/a@daily")],
    ["no disk: cgroup2", mount("/a", "cgroup2", "cgroup2")],
    ["no disk: lxd", mount("/a", "lxd", "")],
  ];
  for (const [rule, ...mounts] of table) {
    for (const it of mounts) assertEquals(ignoreReason(it), rule);
  }
});

Deno.test("mayHang() is true of what others have to answer for, but never of the root", () => {
  for (const type of ["nfs", "cifs", "9p", "fuse", "fuse.sshfs", "autofs", "virtiofs"]) {
    assertEquals(mayHang(mount("/a", type)), true, type);
    assertEquals(mayHang(mount("/", type)), false, type);
  }
  for (const type of ["ext4", "fuseblk", "overlay", "zfs"]) {
    assertEquals(mayHang(mount("/a", type)), false, type);
  }
});

Deno.test("isLayered() knows overlays", () => {
  assertEquals(isLayered("overlay"), true);
  assertEquals(isLayered("ext4"), false);
});
