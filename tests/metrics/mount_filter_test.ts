import { assertEquals } from "@std/assert";
import { filterMounts, type MountContext } from "../../lib/metrics/mount_filter.ts";
import { parseMountinfo } from "../../lib/parse/mountinfo.ts";

function choose(path: string, around: Partial<MountContext> = {}) {
  const text = Deno.readTextFileSync(new URL(`../fixtures/${path}`, import.meta.url));
  return filterMounts(parseMountinfo(text), { include: [], isFile: () => false, ...around });
}

function rules(verdicts: ReturnType<typeof choose>): Record<string, string> {
  return Object.fromEntries(verdicts.map(({ mountPoint, counted, rule }) => {
    return [mountPoint, `${counted ? "counted" : "left out"}: ${rule}`];
  }));
}

function counted(verdicts: ReturnType<typeof choose>): string[] {
  return verdicts.filter((it) => it.counted).map(({ mountPoint }) => mountPoint);
}

Deno.test("filterMounts() counts the one disk of a virtual machine", () => {
  assertEquals(counted(choose("debian-vm/proc/self/mountinfo")), ["/"]);
});

Deno.test("filterMounts() counts a file system once, subvolumes and bind mounts or not", () => {
  const found = rules(choose("storage-server/proc/self/mountinfo"));
  assertEquals(found["/"], "counted: the root");
  assertEquals(found["/mnt/vol1"], "counted: disk: btrfs");
  assertEquals(found["/mnt/vol2"], "left out: same file system as /mnt/vol1");
  assertEquals(found["/mnt/binddir"], "left out: same file system as /mnt/vol1");
  assertEquals(found["/mnt/bf"], "left out: same file system as /");
  assertEquals(found["/mnt/my disk"], "left out: loop device");
  assertEquals(found["/mnt/ov"], "left out: layers over another file system: overlay");
  assertEquals(found["/mnt/sq"], "left out: read-only image: squashfs");
  assertEquals(found["/mnt/data"], "left out: in memory: tmpfs");
});

Deno.test("filterMounts() knows btrfs by its source where subvolumes have devices of their own", () => {
  const found = rules(choose("synology/proc/self/mountinfo"));
  assertEquals(found["/volume1"], "counted: disk: btrfs");
  assertEquals(found["/volume1/@docker"], "left out: same file system as /volume1");
  assertEquals(found["/volume1/@docker/btrfs"], "left out: same file system as /volume1");
  assertEquals(found["/volumeUSB1/usbshare"], "counted: disk: fuseblk");
});

Deno.test("filterMounts() drops single files but keeps folders of the same disk", () => {
  const verdicts = choose("docker/proc/self/mountinfo", {
    isFile: (path) => path.startsWith("/etc/") || path.endsWith(".json"),
  });
  const found = rules(verdicts);
  assertEquals(counted(verdicts), ["/", "/data"]);
  assertEquals(found["/etc/hosts"], "left out: same file system as /data");
  const onlyFiles = choose("docker/proc/self/mountinfo", { isFile: () => true });
  assertEquals(counted(onlyFiles), ["/"]);
  assertEquals(rules(onlyFiles)["/etc/hosts"], "left out: a file");
});

Deno.test("filterMounts() asks only about folders that would count whether they are files", () => {
  const asked: string[] = [];
  choose("storage-server/proc/self/mountinfo", {
    isFile: (path) => {
      asked.push(path);
      return false;
    },
  });
  assertEquals(asked, []);
});

Deno.test("filterMounts() names the pool of each ZFS data set", () => {
  const verdicts = choose("proxmox/proc/self/mountinfo");
  const pools = verdicts.map((it) => [it.mountPoint, it.counted ? it.pool : false]);
  assertEquals(pools.filter(([, pool]) => pool !== false), [
    ["/", "rpool"],
    ["/rpool", "rpool"],
    ["/rpool/ROOT", "rpool"],
    ["/rpool/data", "rpool"],
    ["/rpool/data/subvol-101-disk-0", "rpool"],
    ["/tank", "tank"],
    ["/boot/efi", undefined],
  ]);
});

Deno.test("filterMounts() counts only the user's list, whatever it names", () => {
  const verdicts = choose("proxmox/proc/self/mountinfo", {
    include: ["/mnt/pve/backup/", "/run", "/nowhere"],
    isFile: () => true,
  });
  assertEquals(counted(verdicts), ["/run", "/mnt/pve/backup"]);
  const hanging = verdicts.filter((it) => it.counted && it.mayHang);
  assertEquals(hanging.map(({ mountPoint }) => mountPoint), ["/mnt/pve/backup"]);
  const found = rules(verdicts);
  assertEquals(found["/"], "left out: not in --include-mountpoint");
  assertEquals(found["/run"], "counted: included by --include-mountpoint");
  assertEquals(found["/nowhere"], "left out: nothing is mounted there");
});

Deno.test("filterMounts() counts the root when it is listed", () => {
  assertEquals(counted(choose("debian-vm/proc/self/mountinfo", { include: ["/"] })), ["/"]);
});

Deno.test("filterMounts() asks for a host's file systems where a container sees their devices", () => {
  const text = Deno.readTextFileSync(
    new URL("../fixtures/docker/proc/self/mountinfo", import.meta.url),
  );
  const visible = [
    ...parseMountinfo(text),
    ...parseMountinfo("90 67 8:17 / /host/srv ro - xfs /dev/sdb1 rw\n"),
    ...parseMountinfo("91 67 8:17 /a /a ro - xfs /dev/sdb1 rw\n"),
  ];
  const verdicts = choose("docker-host/proc/1/mountinfo", { visible, isFile: () => true });
  const paths = verdicts.map((it) => [it.mountPoint, it.counted ? it.path : it.rule]);
  assertEquals(Object.fromEntries(paths), {
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

Deno.test("filterMounts() lets the whole file system speak for its parts, the root for all", () => {
  const text = `1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 8:1 /a /a rw - ext4 /dev/sda1 rw
3 1 8:2 /x /x rw - xfs /dev/sda2 rw
4 1 8:2 / /long/path rw - xfs /dev/sda2 rw
5 1 8:3 /y/z /longer rw - xfs /dev/sda3 rw
6 1 8:3 /y /short rw - xfs /dev/sda3 rw
`;
  const mounts = parseMountinfo(text);
  const around = { include: [], isFile: () => false };
  assertEquals(counted(filterMounts(mounts, around)), ["/", "/long/path", "/short"]);
  // The container's own view has parts first too: those that are the same are asked.
  const visible = parseMountinfo(`1 0 8:2 /x /host/x rw - xfs /dev/sda2 rw
2 0 8:2 / /host/whole rw - xfs /dev/sda2 rw
`);
  const found = filterMounts(mounts, { ...around, visible });
  assertEquals(found.flatMap((it) => it.counted ? [it.path] : []), ["/host/whole"]);
});

Deno.test("filterMounts() takes the later of two mounts of one mount point", () => {
  const text = `1 0 0:1 / / rw - rootfs rootfs rw
2 1 8:1 / / rw - ext4 /dev/sda1 rw
3 2 8:2 / /a rw - ext4 /dev/sda2 rw
4 3 0:9 / /a rw - tmpfs tmpfs rw
`;
  const verdicts = filterMounts(parseMountinfo(text), { include: [], isFile: () => false });
  assertEquals(verdicts.map(({ source, counted }) => [source, counted]), [
    ["/dev/sda1", true],
    ["tmpfs", false],
  ]);
});
