import { assertEquals, assertGreater, assertLess } from "@std/assert";
import type { DryRun } from "../../../lib/cli/dry_run.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { succeeds } from "./command.ts";
import { dryRun } from "./dry_run.ts";
import { canMount, MountNamespace } from "./mount_namespace.ts";
import { onlyIf } from "../../only_on.ts";

const needed = await canMount()
  ? ""
  : " (skipped: it needs root, mount namespaces, loop devices and ext4)";

const MIB = 2 ** 20;

/** Files that serve as disks. */
class Images implements Disposable {
  readonly #folder: string = Deno.makeTempDirSync({ prefix: "live-mounts-" });

  /** Whether the file system could be made in a file of that name. */
  make(name: string, megabytes: number, ...command: readonly [string, ...string[]]): boolean {
    const path = this.path(name);
    Deno.writeTextFileSync(path, "");
    Deno.truncateSync(path, megabytes * MIB);
    const [maker, ...args] = command;
    return succeeds(maker, ...args, path);
  }

  /** Whether a read-only image of a file could be made. */
  pack(name: string, file: string): boolean {
    return succeeds("mksquashfs", file, this.path(name));
  }

  path(name: string): string {
    return `${this.#folder}/${name}`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

/** Whether the kernel has a file system, and this machine what makes it. */
function has(type: string): boolean {
  return Deno.readTextFileSync("/proc/filesystems").split(/\s/).includes(type);
}

const here = onlyIf(needed === "");

here.test(`a dry run counts each file system once, however often it is mounted${needed}`, async () => {
  using images = new Images();
  images.make("disk", 400, "mkfs.ext4", "-q", "-F");
  images.make("loop", 12, "mkfs.ext4", "-q", "-F");
  const withBtrfs = has("btrfs") && images.make("btrfs", 128, "mkfs.btrfs", "-q");
  const withImage = has("squashfs") && images.pack("squashfs", "/etc/os-release");
  const withOverlay = has("overlay");
  console.log(`live mounts: btrfs ${withBtrfs}, squashfs ${withImage}, overlay ${withOverlay}`);
  await using namespace = await MountNamespace.with(`
      cd /srv; mkdir sub-a sub-b bind image loop memory merged; touch file
      disk live-disk ${images.path("disk")} /srv/disk
      mkdir disk/data disk/up disk/work
      fallocate --length 300MiB disk/data/file
      mount --bind disk/data bind
      mount --bind disk/data/file file
      mount -t tmpfs -o size=8m tmpfs memory
      mount -o loop ${images.path("loop")} loop
      ${
    withOverlay
      ? "mount -t overlay -o lowerdir=disk/data,upperdir=disk/up,workdir=disk/work overlay merged"
      : ""
  }
      ${withImage ? `mount -o loop ${images.path("squashfs")} image` : ""}
      ${
    withBtrfs
      ? `disk live-btrfs ${images.path("btrfs")} /srv/top
           btrfs subvolume create top/a; btrfs subvolume create top/b
           head -c 3000000 /dev/urandom >top/a/file
           mount -o subvol=a /dev/shm/live-btrfs sub-a
           mount -o subvol=b /dev/shm/live-btrfs sub-b
           sync; umount top`
      : ""
  }
    `);
  const through = namespace.enter;
  const before = (await dryRun([])).report.disk;
  const told = await dryRun([], { through });
  const after = (await dryRun([])).report.disk;
  const places = told.mountPoints.filter((it) => it.counted).map((it) => it.name);
  const disks = namespace.space("/srv/disk", ...withBtrfs ? ["/srv/sub-a"] : []);
  // What is there without this test is counted with it as well: the root, and what else a machine has.
  assertEquals(told.report.disk.total - before.total, disks.total, places.join("\n"));
  const used = told.report.disk.used - disks.used;
  // Others write on the root at the same time.
  assertLess(Math.min(before.used, after.used) - 256 * MIB, used);
  assertLess(used, Math.max(before.used, after.used) + 256 * MIB);
  assertGreater(disks.used, 300 * MIB);
  const ours = places.filter((name) => name.startsWith("/srv/"));
  assertEquals(ours.filter((name) => !name.includes("btrfs")), [
    "/srv/disk (ext4 of /dev/shm/live-disk)",
  ]);
  assertEquals(ours.length, withBtrfs ? 2 : 1, ours.join("\n"));

  const wanted = ["--include-mountpoint", "/srv/bind;/srv/memory;/srv/loop/;/srv/nothing"];
  const { report, mountPoints } = await dryRun(wanted, { through });
  assertEquals(report.disk, namespace.space("/srv/bind", "/srv/memory", "/srv/loop"));
  assertEquals(mountPoints.at(-1)?.rule, "nothing is mounted there");
});

here.test(`a dry run does not count a file system that another mount hides${needed}`, async () => {
  using images = new Images();
  images.make("inner", 30, "mkfs.ext4", "-q", "-F");
  images.make("outer", 50, "mkfs.ext4", "-q", "-F");
  await using namespace = await MountNamespace.with(`
      mkdir -p /srv/disk/sub /srv/memory/sub
      disk inner ${images.path("inner")} /srv/disk/sub
      disk outer ${images.path("outer")} /srv/disk
      mkdir /srv/disk/sub
      mount --bind /srv/disk /srv/memory/sub
      mount -t tmpfs -o size=8m tmpfs /srv/memory
      mkdir /srv/memory/sub
    `);
  const told = await dryRun([], { through: namespace.enter });
  const before = (await dryRun([])).report.disk;
  const rules = told.mountPoints.filter((it) => it.name.startsWith("/srv/"));
  assertEquals(rules.map(({ name, rule }) => `${name.split(" ")[0]}: ${rule}`).sort(), [
    "/srv/disk/sub: hidden by the mount on /srv/disk",
    "/srv/disk: disk: ext4",
    "/srv/memory/sub: hidden by the mount on /srv/memory",
    "/srv/memory: in memory: tmpfs",
  ]);
  assertEquals(told.report.disk.total - before.total, namespace.space("/srv/disk").total);
});

/** Why each mount counts or not, by its name. */
function rulesOf({ mountPoints }: DryRun): Record<string, string> {
  return Object.fromEntries(mountPoints.map(({ name, rule }) => [name, rule]));
}

/** Where the agent and its runtime are; a container made of the root alone has no other disks. */
const onRoot = [Deno.execPath(), import.meta.filename ?? "", Deno.cwd()].every((path) =>
  path === "" || Deno.statSync(path).dev === Deno.statSync("/").dev
);
const layered = needed || has("overlay") && onRoot
  ? needed
  : " (skipped: it needs overlay, and this project on the root's own disk)";

const withOverlays = onlyIf(layered === "");

withOverlays.test(`a dry run in a container counts the disk below its layers once${layered}`, async () => {
  using images = new Images();
  images.make("disk", 1024, "mkfs.ext4", "-q", "-F");
  await using namespace = await MountNamespace.with(`
      cd /srv; mkdir root
      disk live-disk ${images.path("disk")} /srv/disk
      mkdir disk/up disk/work disk/data
      mount -t overlay -o lowerdir=/,upperdir=disk/up,workdir=disk/work overlay root
      mount --bind disk/data root/mnt
      mount --bind /etc/hosts root/etc/hosts
      for tree in proc sys dev; do mount --rbind /$tree root/$tree; done
    `);
  const { report, mountPoints } = await dryRun([], {
    through: [...namespace.enter, "chroot", "/srv/root"],
  });
  const counted = mountPoints.filter((it) => it.counted).map((it) => it.name);
  assertEquals(counted, ["/ (overlay of overlay)"]);
  const space = namespace.space("/srv/disk");
  assertEquals(report.disk.total, space.total);
  assertLess(Math.abs(report.disk.used - space.used), MIB);
});

const fuse = needed || has("fuse") && Deno.statSync("/dev/fuse").isCharDevice
  ? needed
  : " (skipped: it needs FUSE)";

const withFuse = onlyIf(fuse === "");

withFuse.test(`an agent reports on beside a dead NTFS disk, counts the others, and names it${fuse}`, async () => {
  using images = new Images();
  images.make("ntfs", 8, "mkfs.ext4", "-q", "-F");
  images.make("disk", 30, "mkfs.ext4", "-q", "-F");
  // Its driver is a shell that never answers.
  await using namespace = await MountNamespace.with(`
      mkdir /srv/ntfs; exec 3<>/dev/fuse
      device=$(losetup --find --show ${images.path("ntfs")})
      mknod /dev/shm/ntfs b 7 "\${device#/dev/loop}"
      options=fd=3,rootmode=40000,user_id=0,group_id=0,allow_other,blksize=4096
      made=0
      mount -i -t fuseblk -o $options /dev/shm/ntfs /srv/ntfs || made=$?
      losetup --detach "$device"
      disk disk ${images.path("disk")} /srv/disk
      [ $made = 0 ]
    `);
  const through = namespace.enter;
  const message = 'cannot measure part of disk space "/srv/ntfs"';
  const told = await dryRun([], { through });
  const rules = rulesOf(told);
  assertEquals(rules["/srv/ntfs (fuseblk of /dev/shm/ntfs)"], "disk: fuseblk, not measured");
  assertEquals(told.report.message, message);
  assertEquals(rules["/srv/disk (ext4 of /dev/shm/disk)"], "disk: ext4");
  const before = (await dryRun([])).report.disk;
  assertEquals(told.report.disk.total - before.total, namespace.space("/srv/disk").total);

  using panel = await startTestPanel({ token: "l1ve-m0unts" });
  await using agent = new AgentProcess(["-e", panel.url, "-t", panel.token, "-i", "0.3"], {
    through,
  });
  await agent.says('Cannot measure part of disk space: Cannot statfs "/srv/ntfs": no answer');
  const { reports } = panel.state.counts;
  await panel.state.until(({ counts }) => counts.reports > reports + 10);
  for (const { value } of panel.state.reports) {
    assertEquals(value.disk.total, told.report.disk.total);
  }
  assertEquals(panel.state.reports.at(-1)?.value.message, message);
  assertEquals(panel.state.violations, []);
  assertEquals((await agent.stop()).code, 0, agent.output);
});

withFuse.test(`a program's file system that the agent's user may not use is named${fuse}`, async () => {
  await using namespace = await MountNamespace.with(`
      mkdir /srv/roots; exec 3<>/dev/fuse
      mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 roots /srv/roots
    `);
  const wanted = ["--include-mountpoint", "/;/srv/roots"];
  const told = await dryRun(wanted, { through: namespace.enter });
  const rule = "included by --include-mountpoint, not measured";
  assertEquals(rulesOf(told)["/srv/roots (fuse of roots)"], rule);
  assertEquals(told.report.message, 'cannot measure part of disk space "/srv/roots"');
  assertEquals(told.report.disk.total, namespace.space("/").total);
});

const capabilities = needed || succeeds("setpriv", "--version")
  ? needed
  : " (skipped: it needs setpriv)";

const withCapabilities = onlyIf(capabilities === "");

withCapabilities.test(`a dry run names a disk in a folder that its user may not enter${capabilities}`, async () => {
  using images = new Images();
  images.make("disk", 30, "mkfs.ext4", "-q", "-F");
  await using namespace = await MountNamespace.with(`
      mkdir -m 700 /srv/private
      disk disk ${images.path("disk")} /srv/private/disk
      chown 12345:12345 /srv/private
    `);
  // Without the right to change its user it stays what it is, as a service's user does.
  const drop = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-setuid", "--"];
  const denied = await dryRun([], { through: [...namespace.enter, ...drop] });
  const disk = denied.mountPoints.find((it) => it.name.startsWith("/srv/private/disk "));
  assertEquals(disk?.rule, "statfs failed");
  const message = 'cannot measure part of disk space "/srv/private/disk"';
  assertEquals(denied.report.message, message);
  // The right to pass any folder is the way out.
  const passing = ["setpriv", "--bounding-set", "-dac_override,-setuid", "--"];
  const { report } = await dryRun([], { through: [...namespace.enter, ...passing] });
  assertEquals(report.message, "");
  const { total } = namespace.space("/srv/private/disk");
  assertEquals(report.disk.total - denied.report.disk.total, total);
});
