import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { FileSystemUse, Source } from "../../lib/host/host.ts";
import { UnmeasuredPart } from "../../lib/metrics/collector.ts";
import { DiskCollector, hasSameUsage, sumUsage } from "../../lib/metrics/disk.ts";
import { FakeTime, timed } from "../fake_time.ts";

function use(blocks: number, freeBlocks: number): FileSystemUse {
  return { blockSizeBytes: 1_000, blocks, freeBlocks, availableBlocks: freeBlocks };
}

class NoFolder extends Error {
  readonly code = "ENOTDIR";
}

class Machine {
  reads = 0;
  readonly statfsCalls: string[] = [];
  readonly asyncCalls: PromiseWithResolvers<FileSystemUse>[] = [];
  readonly files = new Set<string>();
  /** Mount points in folders that nobody else may enter. */
  readonly denied = new Set<string>();
  readonly disk: DiskCollector;

  constructor(
    readonly time: FakeTime,
    public mountinfo: string | undefined,
    readonly uses: Record<string, FileSystemUse>,
    options: { include?: string[]; visible?: string } = {},
  ) {
    const { include = [], visible } = options;
    this.disk = new DiskCollector(
      {
        statfs: (path) => this.#statfs(path),
        statfsAsync: () => {
          const call = Promise.withResolvers<FileSystemUse>();
          this.asyncCalls.push(call);
          return call.promise;
        },
      },
      source(() => {
        this.reads++;
        return this.mountinfo;
      }),
      {
        includeMountPoints: include,
        ...(visible === undefined ? {} : { visible: source(() => visible) }),
      },
    );
  }

  /** Used and total in blocks, a report later. */
  step(afterMs = 5_000): [used: number, total: number] | undefined {
    this.time.tick(afterMs);
    const usage = this.disk.collect();
    return usage && [usage.usedBytes / 1_000, usage.totalBytes / 1_000];
  }

  rule(mountPoint: string): string | undefined {
    return this.disk.mounts().find((it) => it.mountPoint === mountPoint)?.rule;
  }

  #statfs(path: string): FileSystemUse {
    this.statfsCalls.push(path);
    const folder = path.replace(/\/\.$/, "");
    if (folder !== path && this.files.has(folder)) throw new NoFolder();
    if (this.denied.has(path)) {
      const error = new Error(`Cannot statfs ${JSON.stringify(path)}: permission denied`);
      throw Object.assign(error, { code: "EACCES" });
    }
    const use = this.uses[folder];
    if (use === undefined) throw new Error("ENOENT");
    return use;
  }
}

function source(read: () => string | undefined): Source {
  return { read };
}

function fixture(path: string): string {
  return Deno.readTextFileSync(new URL(`../fixtures/${path}`, import.meta.url));
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

const ROOT = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n";
const USB = "2 1 8:17 / /usb rw - ext4 /dev/sdb1 rw\n";
const NFS = "3 1 0:50 / /nas rw - nfs4 nas:/a rw\n";

timed.test("DiskCollector.collect() follows a data set's size and removal", (time) => {
  const tank = "2 1 0:46 / /tank rw - zfs tank rw\n";
  const machine = new Machine(time, ROOT + tank, { "/": use(100, 30), "/tank": use(1_000, 900) });
  assertEquals(machine.step(), [170, 1_100]);
  machine.uses["/tank"] = use(990, 890);
  assertEquals(machine.step(), [170, 1_090]);
  assertEquals(machine.reads, 1);
  machine.mountinfo = ROOT;
  delete machine.uses["/tank"];
  assertEquals(machine.step(), [70, 100]);
});

timed.test("DiskCollector.collect() counts a container's disk once, and no files", (time) => {
  const uses = { "/": use(900, 300), "/data": use(900, 300), "/etc/hosts": use(900, 300) };
  const machine = new Machine(time, fixture("docker/proc/self/mountinfo"), uses);
  machine.files.add("/etc/hosts").add("/app/app.json");
  assertEquals(machine.step(), [600, 900]);
  assertEquals(machine.rule("/data"), "same space as /");
  const otherDisk = new Machine(time, machine.mountinfo, { ...uses, "/data": use(7_000, 6_000) });
  assertEquals(otherDisk.step(), [1_600, 7_900]);
});

timed.test("DiskCollector.collect() filters mounts anew only when mountinfo has changed", (time) => {
  const uses = { "/": use(900, 300), "/data": use(900, 300), "/etc/hosts": use(900, 300) };
  const machine = new Machine(time, fixture("docker/proc/self/mountinfo"), uses);
  machine.files.add("/etc/hosts").add("/app/app.json");
  // Asked while mounts are filtered, and not while they are queried.
  const fileQueries = () => machine.statfsCalls.filter((path) => path.endsWith("/.")).length;
  assertEquals(machine.step(), [600, 900]);
  assertEquals(fileQueries(), 1);
  uses["/data"] = use(7_000, 6_000);
  assertEquals(machine.step(60_000), [1_600, 7_900], "sizes are compared anew");
  assertEquals([machine.reads, fileQueries()], [2, 1]);
  machine.mountinfo = machine.mountinfo?.replace(/^.* \/data .*\n/m, "");
  assertEquals(machine.step(60_000), [600, 900]);
  assertEquals([machine.reads, fileQueries()], [3, 3], "now without a folder of that device");
});

timed.test("DiskCollector.collect() reads a long mountinfo again every five minutes", (time) => {
  const layers = Array.from(
    { length: 1_000 },
    (_, n) => `${n + 100} 1 0:${n + 50} / /run/${n} rw - tmpfs tmpfs rw,size=${"9".repeat(30)}\n`,
  ).join("");
  const machine = new Machine(time, ROOT + layers, { "/": use(100, 30), "/usb": use(50, 50) });
  machine.step();
  machine.mountinfo = ROOT + layers + USB;
  for (let minute = 1; minute < 5; minute++) assertEquals(machine.step(60_000), [70, 100]);
  assertEquals(machine.reads, 1);
  assertEquals(machine.step(60_000), [70, 150]);
  machine.mountinfo = ROOT;
  machine.step(300_000);
  machine.mountinfo = ROOT + USB;
  assertEquals(machine.step(60_000), [70, 150], "every minute again");
});

timed.test("DiskCollector.collect() tries disks again after 10 s where none could be measured", (time) => {
  const padding = `7 1 0:7 / /run rw - tmpfs tmpfs rw,x=${"9".repeat(70_000)}\n`;
  for (const more of ["", padding]) {
    const uses: Record<string, FileSystemUse> = {};
    const machine = new Machine(time, ROOT + more, uses);
    assertThrows(() => machine.step(), UnmeasuredPart);
    uses["/"] = use(100, 30);
    assertThrows(() => machine.step(5_000), UnmeasuredPart);
    assertEquals(machine.step(5_000), [70, 100]);
  }
});

timed.test("DiskCollector.collect() takes a mountinfo of more than 64 KiB for long", (time) => {
  for (const [length, reads] of [[64 * 1024, 2], [64 * 1024 + 1, 1]] as const) {
    const padding = `7 1 0:7 / /run rw - tmpfs tmpfs rw,x=`;
    const fill = "9".repeat(length - ROOT.length - padding.length - 1);
    const machine = new Machine(time, `${ROOT}${padding}${fill}\n`, { "/": use(100, 30) });
    machine.step();
    machine.step(60_000);
    assertEquals(machine.reads, reads);
  }
});

timed.test("DiskCollector.collect() notices at once that a disk was unmounted", (time) => {
  const machine = new Machine(time, ROOT + USB, { "/": use(100, 30), "/usb": use(50, 50) });
  assertEquals(machine.step(), [70, 150]);
  machine.mountinfo = ROOT;
  // The folder is there still, but of the root's file system now.
  machine.uses["/usb"] = use(100, 30);
  assertEquals(machine.step(), [70, 100]);
});

timed.test("DiskCollector.collect() leaves out a disk whose statfs fails, without re-reading mountinfo every time", (time) => {
  const machine = new Machine(time, ROOT + USB, { "/": use(100, 30), "/usb": use(50, 50) });
  machine.step();
  delete machine.uses["/usb"];
  assertEquals(machine.step(), [70, 100]);
  assertEquals(machine.rule("/usb"), "statfs failed");
  assertEquals(machine.step(), [70, 100]);
  assertEquals(machine.reads, 2);
});

timed.test("DiskCollector.collect() never waits for a file system that hangs", async (time) => {
  const machine = new Machine(time, ROOT + NFS, { "/": use(100, 30) }, { include: ["/", "/nas"] });
  for (let report = 0; report < 20; report++) assertEquals(machine.step(), [70, 100]);
  assertEquals(machine.asyncCalls.length, 1);
  machine.asyncCalls[0]?.resolve(use(1_000, 500));
  await settle();
  for (let report = 0; report < 20; report++) assertEquals(machine.step(), [570, 1_100]);
  assertEquals(machine.asyncCalls.length, 2);
  assertEquals(machine.statfsCalls.includes("/nas"), false);
});

timed.test("DiskCollector.collect() throws while only file systems without an answer count", (time) => {
  const machine = new Machine(time, ROOT + NFS, {}, { include: ["/nas"] });
  assertThrows(() => machine.step(), Error, "Cannot statfs /nas: no answer yet");
});

timed.test("DiskCollector.collect() has no data without mountinfo", (time) => {
  const machine = new Machine(time, undefined, {});
  assertEquals(machine.step(), undefined);
  assertEquals(machine.disk.mounts(), []);
});

timed.test("DiskCollector.collect() throws when no mount counts", (time) => {
  const tmpfs = "2 1 0:9 / /a rw - tmpfs tmpfs rw\n";
  const machine = new Machine(time, tmpfs, {});
  assertThrows(() => machine.step(), UnmeasuredPart, "ENOENT");
  assertThrows(() => machine.step(), UnmeasuredPart, "ENOENT");
  assertEquals(machine.rule("/a"), "in memory: tmpfs");
  const empty = new Machine(time, "", {});
  assertThrows(() => empty.step(), Error, "Cannot find a mounted disk");
});

timed.test("DiskCollector.collect() names the only disk in a folder that its user may not enter", (time) => {
  const machine = new Machine(time, ROOT + USB, {});
  machine.denied.add("/");
  machine.denied.add("/usb");
  const error = assertThrows(() => machine.step(), UnmeasuredPart, "permission denied");
  assertEquals(error.part, "/");
});

timed.test("DiskCollector.collect() skips a malformed line and names it until it is gone", (time) => {
  const machine = new Machine(time, `${ROOT}malformed\n${USB}`, {
    "/": use(100, 30),
    "/usb": use(50, 50),
  });
  assertEquals(machine.step(), [70, 150]);
  assertEquals(machine.disk.missingPart()?.message, 'Cannot parse mountinfo: "malformed"');
  machine.mountinfo = ROOT + USB;
  assertEquals(machine.step(60_000), [70, 150]);
  assertEquals(machine.disk.missingPart(), undefined);
});

function usageOf(blocks: number, freeBlocks: number, blockSizeBytes = 1) {
  return { blockSizeBytes, blocks, freeBlocks, availableBlocks: freeBlocks };
}

Deno.test("sumUsage() has no data without answers", () => {
  assertEquals(sumUsage([]), undefined);
});

Deno.test("sumUsage() counts a pool's free space once", () => {
  const answers = [
    { use: usageOf(1_000, 900), pool: "tank" },
    { use: usageOf(950, 900), pool: "tank" },
    // A quota leaves this one less than the pool has.
    { use: usageOf(30, 10), pool: "tank" },
    { use: usageOf(500, 400), pool: "rpool" },
    { use: usageOf(70, 30) },
  ];
  assertEquals(sumUsage(answers), {
    totalBytes: (100 + 50 + 20 + 900) + (100 + 400) + 70,
    usedBytes: (100 + 50 + 20) + 100 + 40,
  });
});

function totalBytesOf({ blocks, blockSizeBytes }: ReturnType<typeof usageOf>): number {
  return blocks * blockSizeBytes;
}

function usedBytesOf({ blocks, freeBlocks, blockSizeBytes }: ReturnType<typeof usageOf>): number {
  return Math.max(0, blocks - freeBlocks) * blockSizeBytes;
}

Deno.test("sumUsage() keeps used bytes between 0 and the total", () => {
  const count = fc.nat({ max: 2 ** 31 });
  const answer = fc.record({
    use: fc.record({
      blockSizeBytes: fc.constantFrom(512, 4096, 131_072),
      ...{ blocks: count, freeBlocks: count, availableBlocks: count },
    }),
    pool: fc.constantFrom(undefined, "tank", "rpool"),
  });
  fc.assert(fc.property(fc.array(answer, { minLength: 1 }), (answers) => {
    const sum = sumUsage(answers);
    const usedBytes = answers.reduce((sum, { use }) => sum + usedBytesOf(use), 0);
    const pools = Map.groupBy(answers, ({ pool }, index) => pool ?? index);
    const freeBytes = [...pools.values()].reduce(
      (sum, pooled) =>
        sum + Math.max(...pooled.map(({ use }) => totalBytesOf(use) - usedBytesOf(use))),
      0,
    );
    assertEquals(sum, { totalBytes: usedBytes + freeBytes, usedBytes });
  }));
});

Deno.test("hasSameUsage() tolerates small changes of free space, not of the size", () => {
  assertEquals(hasSameUsage(usageOf(10_000, 500), usageOf(10_000, 510)), true);
  assertEquals(hasSameUsage(usageOf(10_000, 500), usageOf(10_000, 511)), false);
  assertEquals(hasSameUsage(usageOf(10_000, 500), usageOf(10_001, 500)), false);
  assertEquals(hasSameUsage(usageOf(10_000, 500, 512), usageOf(10_000, 500, 4096)), false);
});

timed.test("DiskCollector.collect() forgets the answer of a remote mount that is gone", async (time) => {
  const machine = new Machine(time, ROOT + NFS, { "/": use(100, 30) }, { include: ["/", "/nas"] });
  assertEquals(machine.step(), [70, 100]);
  machine.asyncCalls.at(-1)?.resolve(use(1000, 0));
  await settle();
  assertEquals(machine.step(), [1070, 1100]);
  machine.asyncCalls.at(-1)?.resolve(use(1000, 0));
  await settle();
  machine.mountinfo = ROOT;
  assertEquals(machine.step(60_000), [70, 100]);
  machine.mountinfo = ROOT + NFS;
  assertEquals(machine.step(60_000), [70, 100], "what is mounted there now has not answered yet");
  machine.asyncCalls.at(-1)?.resolve(use(10, 0));
  await settle();
  assertEquals(machine.step(), [80, 110]);
});

timed.test("DiskCollector.collect() counts what is visible where a mount was moved over an older one", (time) => {
  const moved = `30 1 8:1 / / rw - ext4 /dev/sda1 rw
40 30 8:2 / /mnt/k rw - ext4 /dev/sdb1 rw
41 30 8:3 / /mnt/k/sub rw - ext4 /dev/sdc1 rw
`;
  const uses = { "/": use(1_000, 400), "/mnt/k": use(5_000, 100), "/mnt/k/sub": use(5_000, 100) };
  const machine = new Machine(time, moved, uses);
  assertEquals(machine.step(), [5_500, 6_000]);
  assertEquals(machine.rule("/mnt/k/sub"), "hidden by the mount on /mnt/k");
  // Of a kernel whose parents are not exact: the other disk is there.
  const apart = new Machine(time, moved, { ...uses, "/mnt/k/sub": use(900, 100) });
  assertEquals(apart.step(), [6_300, 6_900]);
  const remote = moved.replace("8:2 / /mnt/k rw - ext4 /dev/sdb1", "0:50 / /mnt/k rw - nfs4 a:/b");
  const mayHang = new Machine(time, remote, uses);
  mayHang.step();
  assertEquals(mayHang.statfsCalls, ["/"]);
});

timed.test("DiskCollector.collect() counts the root of a chroot that is no mount, once", (time) => {
  const text = `81 70 0:5 / /proc rw - proc proc rw
82 70 8:1 /srv /data rw - ext4 /dev/sda1 rw
83 70 8:2 / /other rw - ext4 /dev/sdb1 rw
`;
  const uses = { "/": use(1_000, 400), "/data": use(1_000, 400), "/other": use(500, 100) };
  const machine = new Machine(time, text, uses);
  assertEquals(machine.step(), [1_000, 1_500]);
  assertEquals(machine.rule("/"), "root file system");
  assertEquals(machine.rule("/data"), "same space as /");
  const included = new Machine(time, text, uses, { include: ["/"] });
  assertEquals(included.step(), [600, 1_000]);
});

timed.test("DiskCollector.collect() names what has no size", async (time) => {
  const text =
    `${ROOT}3 1 0:50 / /sshfs rw - fuse.sshfs host:/ rw\n4 1 0:51 / /ram rw - ramfs r rw\n`;
  const include = ["/", "/sshfs", "/ram"];
  const uses = { "/": use(100, 30), "/ram": use(0, 0) };
  const machine = new Machine(time, text, uses, { include });
  machine.step();
  assertEquals(machine.disk.missingPart()?.message, 'Cannot statfs "/ram": it has no size');
  assertEquals(machine.rule("/ram"), "statfs failed");
  const sshfs = new Machine(time, text, uses, { include: ["/", "/sshfs"] });
  sshfs.step();
  sshfs.asyncCalls[0]?.resolve(use(0, 0));
  await settle();
  assertEquals(sshfs.step(), [70, 100]);
  assertEquals(sshfs.disk.missingPart()?.message, 'Cannot statfs "/sshfs": it has no size');
  assertEquals(sshfs.rule("/sshfs"), "included by --include-mountpoint, without a size");
});

const NTFS = "3 1 8:33 / /ntfs rw - fuseblk /dev/sdc1 rw\n";

timed.test("DiskCollector.collect() never waits for a dead NTFS disk, and names it", async (time) => {
  const machine = new Machine(time, ROOT + NTFS, { "/": use(100, 30) });
  assertEquals(machine.step(), [70, 100]);
  assertEquals(machine.disk.missingPart(), undefined, "not late yet");
  assertEquals(machine.step(), [70, 100]);
  assertEquals(machine.disk.missingPart()?.message, 'Cannot statfs "/ntfs": no answer');
  assertEquals(machine.rule("/ntfs"), "disk: fuseblk, without answer");
  assertEquals([machine.statfsCalls.includes("/ntfs"), machine.asyncCalls.length], [false, 1]);
  machine.asyncCalls[0]?.resolve(use(1_000, 500));
  await settle();
  assertEquals(machine.step(), [570, 1_100]);
});

timed.test("DiskCollector.firstAnswers() lets the first report have a disk that is served by a program", async (time) => {
  const machine = new Machine(time, ROOT + NTFS, { "/": use(100, 30) });
  const first = machine.disk.firstAnswers();
  machine.asyncCalls[0]?.resolve(use(1_000, 500));
  await first;
  assertEquals(machine.step(), [570, 1_100]);
});

timed.test("DiskCollector.firstAnswers() waits for 0.3 s at most", async (time) => {
  const machine = new Machine(time, ROOT + NTFS, { "/": use(100, 30) });
  let isOver = false;
  machine.disk.firstAnswers().then(() => isOver = true);
  await time.run(299);
  assertEquals(isOver, false);
  await time.run(1);
  assertEquals(isOver, true);
});

timed.test("DiskCollector.missingPart() names a disk in a folder that its user may not enter", (time) => {
  const machine = new Machine(time, ROOT + USB, { "/": use(100, 30) });
  machine.denied.add("/usb");
  assertEquals(machine.step(), [70, 100]);
  assertEquals(machine.rule("/usb"), "in a folder that this user may not enter");
  const missing = machine.disk.missingPart();
  assertEquals(missing?.message, 'Cannot statfs "/usb": permission denied');
  assert(missing instanceof UnmeasuredPart);
  assertEquals(missing.part, "/usb");
  assert(missing.cause instanceof Error && "code" in missing.cause);
  assertEquals(missing.cause.code, "EACCES");
  machine.denied.clear();
  machine.uses["/usb"] = use(50, 50);
  assertEquals(machine.step(60_000), [70, 150]);
  assertEquals(machine.disk.missingPart(), undefined);
});

timed.test("DiskCollector.collect() never asks at once for a disk below one that may hang", async (time) => {
  const text = `30 1 8:1 / / rw - ext4 /dev/sda1 rw
40 30 0:50 / /mnt/k rw - nfs4 a:/b rw
41 30 8:3 / /mnt/k/sub rw - ext4 /dev/sdc1 rw
`;
  const machine = new Machine(time, text, { "/": use(1_000, 400) });
  machine.step();
  for (let minute = 0; minute < 3; minute++) {
    machine.asyncCalls.at(-1)?.resolve(use(500 + minute, 100));
    await settle();
    machine.step(60_000);
  }
  assertEquals(machine.asyncCalls.length, 4);
  assertEquals(machine.statfsCalls.filter((path) => path !== "/"), []);
  // Its size may change without a look at the mounts.
  const { reads } = machine;
  machine.asyncCalls.at(-1)?.resolve(use(900, 100));
  await settle();
  assertEquals(machine.step(), [1_400, 1_900]);
  assertEquals(machine.reads, reads);
});

timed.test("DiskCollector.collect() finds a host's disk where it has become visible", (time) => {
  let visible = "";
  const host = { statfs: () => use(100, 30), statfsAsync: () => Promise.reject(new Error("no")) };
  const disk = new DiskCollector(host, source(() => ROOT), {
    includeMountPoints: [],
    visible: source(() => visible),
  });
  assertThrows(() => disk.collect(), Error, "Cannot find a mounted disk");
  visible = ROOT;
  time.tick(60_000);
  assertEquals(disk.collect()?.totalBytes, 100_000);
});
