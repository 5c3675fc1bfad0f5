import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { FileSystemUse } from "../../lib/host/host.ts";
import { UnmeasuredPart } from "../../lib/metrics/snapshot.ts";
import { DiskCollector, linuxMountFilter, sumUsage } from "../../lib/metrics/disk.ts";
import { FakeTime, timed } from "../fake_time.ts";

function use(blocks: number, freeBlocks: number, blockSizeBytes = 1_000): FileSystemUse {
  return { blockSizeBytes, blocks, freeBlocks };
}

const failure = (code: string, text = code) => Object.assign(new Error(text), { code });

/** Mount points with the blocks and the free blocks of each. */
type Uses = Record<string, readonly [blocks: number, free: number]>;

/** A machine with such mounts; `visible` is the agent's own mountinfo. */
class Machine {
  reads = 0;
  readonly asked: string[] = [];
  readonly waiting: PromiseWithResolvers<FileSystemUse>[] = [];
  readonly files = new Set<string>();
  /** Mount points in folders that nobody else may enter. */
  readonly denied = new Set<string>();
  readonly disk: DiskCollector;

  constructor(
    readonly time: FakeTime,
    public mountinfo: string | undefined,
    readonly uses: Uses,
    { include = [], visible }: { include?: string[]; visible?: () => string } = {},
  ) {
    const host = {
      statfs: (path: string) => this.#statfs(path),
      statfsAsync: () => this.waiting[this.waiting.push(Promise.withResolvers()) - 1]!.promise,
    };
    const filter = linuxMountFilter(host, { include, visible: visible && { read: visible } });
    this.disk = new DiskCollector(host, { read: () => (this.reads++, this.mountinfo) }, filter);
  }

  /** Used and total in blocks, a report later. */
  step(afterMs = 5_000): [used: number, total: number] | undefined {
    this.time.tick(afterMs);
    const usage = this.disk.collect();
    return usage && [usage.usedBytes / 1_000, usage.totalBytes / 1_000];
  }

  /** Lets the last question of those that may hang be answered. */
  async answer(...answer: [blocks: number, free: number] | [Error]): Promise<void> {
    const [first, free = 0] = answer;
    if (first instanceof Error) this.waiting.at(-1)?.reject(first);
    else this.waiting.at(-1)?.resolve(use(first, free));
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }

  rule(mountPoint: string): string | undefined {
    return this.disk.mounts().find((it) => it.mountPoint === mountPoint)?.rule;
  }

  get missing(): string | undefined {
    return this.disk.missingPart()?.message;
  }

  #statfs(path: string): FileSystemUse {
    this.asked.push(path);
    const folder = path.replace(/\/\.$/, "");
    if (folder !== path && this.files.has(folder)) throw failure("ENOTDIR");
    if (this.denied.has(path)) {
      throw failure("EACCES", `Cannot statfs "${path}": permission denied`);
    }
    const found = this.uses[folder];
    if (found === undefined) throw new Error("ENOENT");
    if (found[0] === 0) throw new Error(`Cannot statfs "${path}": it has no size`);
    return use(...found);
  }
}

const ROOT = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n";
const USB = "2 1 8:17 / /usb rw - ext4 /dev/sdb1 rw\n";
const NFS = "3 1 0:50 / /nas rw - nfs4 nas:/a rw\n";
const NTFS = "3 1 8:33 / /ntfs rw - fuseblk /dev/sdc1 rw\n";
const DOCKER = Deno.readTextFileSync(
  new URL("../fixtures/docker/proc/self/mountinfo", import.meta.url),
);
timed.test("DiskCollector.collect() counts a container's disk once, and no files", (time) => {
  const uses: Uses = { "/": [900, 300], "/data": [900, 300], "/etc/hosts": [900, 300] };
  const machine = new Machine(time, DOCKER, uses);
  machine.files.add("/etc/hosts").add("/app/app.json");
  assertEquals([machine.step(), machine.rule("/data")], [[600, 900], "same space as /"]);
  for (const [free, isSame] of [[300.9, true], [301, false]] as const) {
    uses["/data"] = [900, free];
    machine.step(300_000);
    assertEquals(machine.rule("/data") === "same space as /", isSame, "a thousandth may differ");
  }
  uses["/data"] = [7_000, 6_000];
  assertEquals(machine.step(300_000), [1_600, 7_900], "sizes are compared anew");
  machine.mountinfo = machine.mountinfo?.replace(/^.* \/data .*\n/m, "");
  assertEquals(machine.step(300_000), [600, 900], "no folder of that device");
  assertEquals(machine.rule("/etc/hosts"), "file");
});

timed.test("DiskCollector.collect() reads mountinfo every five minutes, and each 10 s where nothing could be measured", (time) => {
  const machine = new Machine(time, ROOT, { "/": [100, 30], "/usb": [50, 50] });
  machine.step();
  machine.mountinfo += USB;
  for (let minute = 1; minute < 5; minute++) assertEquals(machine.step(60_000), [70, 100]);
  assertEquals(machine.reads, 1);
  assertEquals(machine.step(60_000), [70, 150]);
  const none = new Machine(time, ROOT, {});
  assertThrows(() => none.step(), UnmeasuredPart);
  none.uses["/"] = [100, 30];
  assertThrows(() => none.step(5_000), UnmeasuredPart);
  assertEquals(none.step(5_000), [70, 100]);
});

timed.test("DiskCollector.collect() notices at once that a disk was unmounted, and leaves out one whose statfs fails", (time) => {
  const machine = new Machine(time, ROOT + USB, { "/": [100, 30], "/usb": [50, 50] });
  assertEquals(machine.step(), [70, 150]);
  delete machine.uses["/usb"];
  assertEquals([machine.step(), machine.rule("/usb")], [[70, 100], "statfs failed"]);
  assertEquals([machine.step(), machine.reads], [[70, 100], 2], "it is not read every time");
  machine.uses["/usb"] = [50, 50];
  assertEquals(machine.step(300_000), [70, 150]);
  machine.mountinfo = ROOT;
  // The folder is there still, but of the root's file system now.
  machine.uses["/usb"] = [100, 30];
  assertEquals(machine.step(), [70, 100]);
});

timed.test("DiskCollector.collect() never waits for a file system that hangs, and forgets its answer when it is gone", async (time) => {
  const machine = new Machine(time, ROOT + NFS, { "/": [100, 30] }, { include: ["/", "/nas"] });
  for (let report = 0; report < 20; report++) assertEquals(machine.step(), [70, 100]);
  assertEquals(machine.waiting.length, 1);
  await machine.answer(1_000, 500);
  for (let report = 0; report < 20; report++) assertEquals(machine.step(), [570, 1_100]);
  assertEquals([machine.waiting.length, machine.asked.includes("/nas")], [2, false]);
  await machine.answer(1_000, 0);
  machine.mountinfo = ROOT;
  assertEquals(machine.step(300_000), [70, 100]);
  machine.mountinfo = ROOT + NFS;
  assertEquals(machine.step(300_000), [70, 100], "what is mounted there now has not answered yet");
  await machine.answer(10, 0);
  assertEquals(machine.step(), [80, 110]);
});

timed.test("DiskCollector.collect() throws while nothing can be measured, and says why", (time) => {
  const include = ["/nas"];
  const table: [mountinfo: string, error: string, include?: string[], part?: string][] = [
    [ROOT + NFS, "Cannot statfs /nas: no answer yet", include],
    ["", "Cannot find a mounted disk"],
    ["2 1 0:9 / /a rw - tmpfs tmpfs rw\n", "Cannot find a mounted disk"],
    [ROOT + USB, 'Cannot statfs "/": permission denied', [], "/"],
  ];
  for (const [mountinfo, words, include, part] of table) {
    const machine = new Machine(time, mountinfo, {}, { include: include ?? [] });
    if (words.endsWith("denied")) machine.denied.add("/").add("/usb");
    for (let report = 0; report < 2; report++) {
      const error = assertThrows(() => machine.step(), Error, words);
      assertEquals(error instanceof UnmeasuredPart ? error.part : undefined, part, words);
    }
  }
  const none = new Machine(time, undefined, {});
  assertEquals([none.step(), none.disk.mounts()], [undefined, []]);
});

timed.test("DiskCollector.missingPart() names what is malformed, without size, late, or denied, until it is well", async (time) => {
  const both: Uses = { "/": [100, 30], "/usb": [50, 50] };
  const malformed = new Machine(time, `${ROOT}malformed\n${USB}`, both);
  assertEquals(malformed.step(), [70, 150]);
  assertEquals(malformed.missing, 'Cannot parse mountinfo: "malformed"');
  malformed.mountinfo = ROOT + USB;
  assertEquals([malformed.step(300_000), malformed.missing], [[70, 150], undefined]);

  const sshfs = "3 1 0:50 / /sshfs rw - fuse.sshfs host:/ rw\n";
  const text = `${ROOT}${sshfs}4 1 0:51 / /ram rw - ramfs r rw\n`;
  const include = ["/", "/sshfs", "/ram"];
  const empty = new Machine(time, text, { "/": [100, 30], "/ram": [0, 0] }, { include });
  empty.step();
  assertEquals(empty.missing, 'Cannot statfs "/ram": it has no size');
  assertEquals(empty.rule("/ram"), "statfs failed");
  const remote = new Machine(time, ROOT + sshfs, { "/": [100, 30] }, { include });
  remote.step();
  const error = new Error('Cannot statfs "/sshfs": it has no size');
  await remote.answer(error);
  assertEquals([remote.step(), remote.missing], [[70, 100], error.message]);
  assertEquals(remote.rule("/sshfs"), "included by --include-mountpoint, not measured");

  const ntfs = new Machine(time, ROOT + NTFS, { "/": [100, 30] });
  assertEquals([ntfs.step(), ntfs.missing], [[70, 100], undefined], "not late yet");
  assertEquals([ntfs.step(), ntfs.missing], [[70, 100], 'Cannot statfs "/ntfs": no answer']);
  assertEquals(ntfs.rule("/ntfs"), "disk: fuseblk, not measured");
  assertEquals([ntfs.asked.includes("/ntfs"), ntfs.waiting.length], [false, 1]);
  await ntfs.answer(1_000, 500);
  assertEquals(ntfs.step(), [570, 1_100]);

  const usb = new Machine(time, ROOT + USB, { "/": [100, 30] });
  usb.denied.add("/usb");
  assertEquals([usb.step(), usb.rule("/usb")], [[70, 100], "statfs failed"]);
  const missing = usb.disk.missingPart();
  assert(missing instanceof UnmeasuredPart);
  const why = 'Cannot statfs "/usb": permission denied';
  assertEquals([missing.message, missing.part], [why, "/usb"]);
  usb.denied.clear();
  usb.uses["/usb"] = [50, 50];
  assertEquals([usb.step(300_000), usb.missing], [[70, 150], undefined]);
});

timed.test("DiskCollector.firstAnswers() lets the first report have a disk that a program serves, and waits for 0.3 s at most", async (time) => {
  const machine = new Machine(time, ROOT + NTFS, { "/": [100, 30] });
  const first = machine.disk.firstAnswers();
  await machine.answer(1_000, 500);
  await first;
  assertEquals(machine.step(), [570, 1_100]);
  let isOver = false;
  new Machine(time, ROOT + NTFS, { "/": [100, 30] }).disk.firstAnswers().then(() => isOver = true);
  await time.run(299);
  assertEquals(isOver, false);
  await time.run(1);
  assertEquals(isOver, true);
});

const REMOTE = `30 1 8:1 / / rw - ext4 /dev/sda1 rw
31 30 0:50 / /mnt/k rw - nfs4 a:/b rw
32 31 8:3 / /mnt/k/sub rw - ext4 /dev/sdc1 rw
`;

timed.test("DiskCollector.collect() never asks at once for a disk below one that may hang", async (time) => {
  const machine = new Machine(time, REMOTE, { "/": [1_000, 400] });
  machine.step();
  for (let minute = 0; minute < 3; minute++) {
    await machine.answer(500 + minute, 100);
    machine.step(300_000);
  }
  assertEquals([machine.waiting.length, machine.asked.filter((path) => path !== "/")], [4, []]);
  // Its size may change without a look at the mounts.
  const { reads } = machine;
  await machine.answer(900, 100);
  assertEquals([machine.step(), machine.reads], [[1_400, 1_900], reads]);
});

Deno.test("sumUsage() counts a pool's free space once, has no data without answers, and keeps used bytes between 0 and the total", () => {
  const count = fc.nat({ max: 2 ** 31 });
  const answer = fc.record({
    use: fc.tuple(count, count, fc.constantFrom(512, 4096, 131_072)).map((it) => use(...it)),
    pool: fc.constantFrom(undefined, "tank", "rpool"),
  });
  assertEquals(sumUsage([]), undefined);
  fc.assert(fc.property(fc.array(answer, { minLength: 1 }), (answers) => {
    const parts = answers.map(({ use, pool }, index) => {
      const used = Math.max(0, use.blocks - use.freeBlocks) * use.blockSizeBytes;
      return { pool: pool ?? index, used, free: use.blocks * use.blockSizeBytes - used };
    });
    const usedBytes = parts.reduce((sum, { used }) => sum + used, 0);
    const freeBytes = [...Map.groupBy(parts, ({ pool }) => pool).values()]
      .reduce((sum, pooled) => sum + Math.max(...pooled.map(({ free }) => free)), 0);
    const summed = answers.map(({ use, pool }) => ({ use, mount: { pool } }));
    assertEquals(sumUsage(summed), { totalBytes: usedBytes + freeBytes, usedBytes });
  }));
});
