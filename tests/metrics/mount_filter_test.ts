import { assertEquals } from "@std/assert";
import {
  filterMounts,
  ignoreReason,
  isLayered,
  mayHang,
  type MountContext,
} from "../../lib/metrics/mount_filter.ts";
import { parseMountinfo } from "../../lib/parse/mountinfo.ts";
import { cases } from "../cases.ts";

type Context = Partial<MountContext>;

/** A line of mountinfo: device, path in the file system, mount point, type and source. */
function lines(...mounts: string[]): string {
  return mounts.map((mount) => {
    const [device, root, mountPoint, type, source] = mount.split(" ");
    return `1 0 ${device} ${root} ${mountPoint} rw - ${type} ${source} rw\n`;
  }).join("");
}

function fixture(machine: string, process = "self"): string {
  const path = `../fixtures/${machine}/proc/${process}/mountinfo`;
  return Deno.readTextFileSync(new URL(path, import.meta.url));
}

/** The decisions on the mounts of a text; by default nothing is included, and none is a file. */
function decide(text: string, context: Context = {}) {
  return filterMounts(parseMountinfo(text), { include: [], isFile: () => false, ...context });
}

function rules(text: string, context: Context = {}): Record<string, string> {
  const words = (counted: boolean) => counted ? "counted" : "left out";
  const found = decide(text, context);
  return Object.fromEntries(found.map((it) => [it.mountPoint, `${words(it.counted)}: ${it.rule}`]));
}

function counted(text: string, context: Context = {}): string[] {
  return decide(text, context).filter((it) => it.counted).map(({ mountPoint }) => mountPoint);
}

Deno.test("filterMounts() counts each file system once: the root, else the whole, else the shortest path", () => {
  const text = lines(
    ...["8:1 / / ext4 /dev/a", "8:1 /a /a ext4 /dev/a", "8:2 /x /x xfs /dev/b"],
    ...["8:2 / /long/path xfs /dev/b", "8:3 /y/z /longer xfs /dev/c", "8:3 /y /short xfs /dev/c"],
  );
  assertEquals(counted(text), ["/", "/long/path", "/short"]);
  // The kernel may give two disks one name, and subvolumes of btrfs devices of their own.
  const two = (type: string, source: string) =>
    counted(lines(`8:1 / / ${type} ${source}`, `8:2 / /a ${type} ${source}`));
  assertEquals(two("ext4", "/dev/root"), ["/", "/a"]);
  assertEquals(two("btrfs", "/dev/root"), ["/"]);
  assertEquals(two("btrfs", "none"), ["/", "/a"]);
  assertEquals(decide(""), []);
});

Deno.test("filterMounts() drops single files, and asks for none that would not count or is below a slow mount", () => {
  const isFile = (path: string) => path.startsWith("/etc/") || path.endsWith(".json");
  const docker = fixture("docker");
  assertEquals(counted(docker, { isFile }), ["/", "/data"]);
  assertEquals(rules(docker, { isFile })["/etc/hosts"], "left out: same file system as /data");
  assertEquals(rules(docker, { isFile: () => true })["/etc/hosts"], "left out: file");
  const asked: string[] = [];
  const asking = (path: string) => (asked.push(path), true);
  decide(fixture("storage-server"), { isFile: asking });
  assertEquals(asked, []);
  const text = lines(
    ...["8:1 / / ext4 /dev/a", "0:50 / /nas nfs4 nas:/a", "8:2 /part /nas/disk ext4 /dev/b"],
    "8:3 /hosts /etc/hosts ext4 /dev/c",
  );
  assertEquals([counted(text, { isFile: asking }), asked], [["/", "/nas/disk"], ["/etc/hosts"]]);
  assertEquals(counted(text, { include: ["/etc/hosts"], isFile: asking }), ["/etc/hosts"]);
});

Deno.test("filterMounts() counts only included mount points, whatever their type", () => {
  const include = ["/mnt/pve/backup/", "/run", "/nowhere"];
  const decisions = decide(fixture("proxmox"), { include, isFile: () => true });
  const ours = decisions.filter((it) => it.counted || it.mountPoint === "/nowhere");
  assertEquals(ours.map((it) => [it.mountPoint, it.rule, it.counted && it.mayHang]), [
    ["/run", "included by --include-mountpoint", false],
    ["/mnt/pve/backup", "included by --include-mountpoint", true],
    ["/nowhere", "nothing is mounted there", false],
  ]);
  assertEquals(decisions.find((it) => it.mountPoint === "/")?.rule, "not in --include-mountpoint");
});

Deno.test("filterMounts() queries a host's file systems at visible mounts of their devices", () => {
  const visible = parseMountinfo(
    fixture("docker") + lines("8:17 / /host/srv xfs /dev/sdb1", "8:17 /a /a xfs /dev/sdb1"),
  );
  const decisions = decide(fixture("docker-host", "1"), { visible, isFile: () => true });
  const paths = decisions.map((it) => [it.mountPoint, it.counted ? it.path : it.rule]);
  assertEquals(Object.fromEntries(paths), {
    // No mount here is of the host's whole root, but each part of it answers for all.
    "/": "/data",
    "/proc": "part of /proc",
    "/dev": "in memory: devtmpfs",
    "/srv": "/host/srv",
    "/backup": "not visible from here",
    "/var/lib/docker/overlay2/b1946ac9/merged": "not a disk: overlay",
    "/snap/core22/1380": "read-only image: squashfs",
    "/mnt/media": "served by a program: fuse.mergerfs",
  });
  // A part of a file system there is no file of this root.
  const part = lines("8:17 /x /data xfs /dev/sdb1");
  assertEquals(counted(part, { visible, isFile: () => true }), ["/data"]);
});

Deno.test("filterMounts() counts no mount that a later one covers, included or not, and a later one on its cover", () => {
  const text = lines(
    ...["0:1 / / rootfs rootfs", "8:1 / / ext4 /dev/a", "8:2 / /a ext4 /dev/b", "0:9 / /a tmpfs t"],
    // As after `mount a.img k/sub; mount b.img k; mkdir k/sub`.
    ...["7:0 / /mnt/k/sub ext4 /dev/c", "7:1 / /mnt/k ext4 /dev/d", "8:3 / /mnt/k/x ext4 /dev/e"],
    "8:4 / /mnt/kk ext4 /dev/f",
  );
  assertEquals(decide(text).map(({ source, rule }) => `${source}: ${rule}`), [
    ...["rootfs: hidden by another mount there", "/dev/a: root file system"],
    ...["/dev/b: hidden by another mount there", "t: in memory: tmpfs"],
    ...["/dev/c: hidden by the mount on /mnt/k", "/dev/d: disk: ext4", "/dev/e: disk: ext4"],
    "/dev/f: disk: ext4",
  ]);
  const found = rules(text, { include: ["/mnt/k/sub", "/mnt/k/x"] });
  assertEquals(found["/mnt/k/sub"], "left out: hidden by the mount on /mnt/k");
  assertEquals(found["/mnt/k/x"], "counted: included by --include-mountpoint");
  // The root is often made after mounts that move along to it.
  assertEquals(counted(lines("8:2 / /usr ext4 /dev/b", "8:1 / / ext4 /dev/a")), ["/", "/usr"]);
});

const mount = (mountPoint: string, type = "ext4", source = "/dev/sda1") => {
  return { mountPoint, type, source };
};

Deno.test("ignoreReason() names the rule by which a mount is left out, and keeps disks and the root", () => {
  const rows = cases(`
    /data xfs /dev/mapper/vg-data → kept
    /usb fuseblk /dev/sdb1 → kept
    /tank/a zfs tank/a → kept
    /overlay ubifs ubi0:rootfs_data → kept
    /unheard newfs /dev/sdz → kept
    /runner → kept
    /nix → kept
    /a udf /dev/sdb1 → kept
    / nfs nas:/ → kept
    /a nfs4 nas:/a → not a disk: nfs4
    /a overlay overlay → not a disk: overlay
    /a squashfs /dev/sdb → read-only image: squashfs
    /a fuse.sshfs host: → served by a program: fuse.sshfs
    /etc/pve fuse /dev/fuse → served by a program: fuse
    /a udf /dev/sr0 → read-only image: udf
    /a tmpfs tmpfs → in memory: tmpfs
    /var/log ext4 /dev/zram0 → in memory: ext4
    /cache ext4 /dev/block/zram0 → in memory: ext4
    /run/media/usb → part of /run
    /nix/store → part of /nix/store
    /apex/com.android.art@34 ext4 /dev/block/dm-20 → part of /apex
    /a ext4 /dev/loop0 → loop device
    /a f2fs /dev/block/loop12 → loop device
    /a zfs tank/a@daily → snapshot`);
  for (const [row, expected] of rows) {
    const [mountPoint = "", type, source] = row.split(" ");
    assertEquals(ignoreReason(mount(mountPoint, type, source)) ?? "kept", expected, row);
  }
});

Deno.test("mayHang() is so of all types that the kernel does not answer from its memory, but of no root", () => {
  for (const type of "ext4 xfs btrfs zfs vfat exfat ntfs3 squashfs tmpfs".split(" ")) {
    assertEquals(mayHang(mount("/a", type)), false, type);
  }
  for (const type of "nfs cifs virtiofs overlay fuse.sshfs autofs fuseblk ntfs new".split(" ")) {
    assertEquals([mayHang(mount("/a", type)), mayHang(mount("/", type))], [true, false], type);
  }
  assertEquals(["overlay", "aufs", "ext4"].map(isLayered), [true, true, false]);
});
