import { assertEquals } from "@std/assert";
import type { FileSystemUse } from "../../lib/host/host.ts";
import { NonblockingStatfs } from "../../lib/metrics/nonblocking_statfs.ts";
import { timed } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { testsWith } from "../tests_with.ts";

const USE = { blockSizeBytes: 1, blocks: 10, freeBlocks: 5, availableBlocks: 5 };

class SlowDisk {
  readonly asked: PromiseWithResolvers<FileSystemUse>[] = [];

  statfsAsync(): Promise<FileSystemUse> {
    const call = Promise.withResolvers<FileSystemUse>();
    this.asked.push(call);
    return call.promise;
  }
}

/** Lets everything that is settled take its course. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

const withDisk = testsWith(() => new SlowDisk());

withDisk.test("NonblockingStatfs.query() forgets its result when the next one is an error", async (disk) => {
  const patient = new NonblockingStatfs(disk);
  patient.query("/nfs");
  disk.asked[0]?.resolve(USE);
  await settle();
  patient.query("/nfs");
  disk.asked[1]?.reject(new Error("stale handle"));
  await settle();
  assertEquals(patient.query("/nfs"), undefined);
  assertEquals(disk.asked.length, 3);
});

withDisk.test("NonblockingStatfs.prune() forgets other paths, but never starts a second call for one", async (disk) => {
  const patient = new NonblockingStatfs(disk);
  patient.query("/a");
  disk.asked[0]?.resolve(USE);
  await settle();
  patient.query("/a");
  patient.prune(new Set(["/b"]));
  assertEquals(patient.query("/a"), undefined);
  assertEquals(disk.asked.length, 2);
});

withDisk.test("NonblockingStatfs.prune() asks nothing of other paths that wait, and forgets their errors", async (disk) => {
  const patient = new NonblockingStatfs(disk);
  patient.query("/a");
  disk.asked[0]?.reject(new Error("stale handle"));
  await settle();
  assertEquals(patient.problem("/a")?.message, "stale handle");
  for (let number = 0; number < 9; number++) patient.query(`/${number}`);
  patient.prune(new Set());
  assertEquals(patient.problem("/a"), undefined);
  disk.asked[1]?.resolve(USE);
  await settle();
  assertEquals(disk.asked.length, 1 + 8);
});

timed.test("NonblockingStatfs.query() logs a timeout once, and once more when statfs works again", async (time) => {
  const disk = new SlowDisk();
  const patient = new NonblockingStatfs(disk);
  const lines = await collectedLog(async (lines) => {
    patient.query("/nfs");
    for (const atMs of [1_000, 2_999, 3_000, 4_000, 500_000]) {
      time.tick(atMs - performance.now());
      patient.query("/nfs");
      assertEquals(lines.length, atMs < 3_000 ? 0 : 1);
    }
    // Late is no sign that all is well: the next one has to be in time.
    disk.asked[0]?.resolve(USE);
    await settle();
    patient.query("/nfs");
    time.tick(3_000);
    patient.query("/nfs");
    disk.asked[1]?.resolve(USE);
    await settle();
    assertEquals(lines.length, 1);
    patient.query("/nfs");
    time.tick(2_999);
    disk.asked[2]?.resolve(USE);
    await settle();
  });
  assertEquals(lines.map((line) => line.slice(line.indexOf("/nfs"))), [
    "/nfs timed out: it is not counted",
    "/nfs works again",
  ]);
});

timed.test("NonblockingStatfs.query() logs that the last known usage is reported", async (time) => {
  const disk = new SlowDisk();
  const patient = new NonblockingStatfs(disk);
  const lines = await collectedLog(async () => {
    patient.query("/nfs");
    disk.asked[0]?.resolve(USE);
    await settle();
    patient.query("/nfs");
    time.tick(3_000);
    assertEquals(patient.query("/nfs"), USE);
  });
  assertEquals(lines.map((line) => line.slice(line.indexOf("/nfs"))), [
    "/nfs timed out: its last known usage is reported",
  ]);
});

withDisk.test("NonblockingStatfs.query() has eight calls in flight, and starts the others as those end", async (disk) => {
  const patient = new NonblockingStatfs(disk);
  const paths = Array.from({ length: 20 }, (_, number) => `/${number}`);
  for (let time = 0; time < 3; time++) paths.forEach((path) => patient.query(path));
  assertEquals(disk.asked.length, 8);
  // Seven hang; the others have their turn all the same.
  for (let turn = 7; turn < 20; turn++) {
    disk.asked[turn]?.resolve(USE);
    await settle();
  }
  assertEquals(disk.asked.length, 20);
  assertEquals(paths.filter((path) => patient.query(path) !== undefined).length, 13);
});

timed.test("NonblockingStatfs.problem() names what has no answer, and what failed", async (time) => {
  const disk = new SlowDisk();
  const patient = new NonblockingStatfs(disk);
  patient.query("/a");
  assertEquals(patient.problem("/a"), undefined);
  time.tick(249);
  assertEquals(patient.problem("/a"), undefined);
  time.tick(1);
  assertEquals(patient.problem("/a")?.message, 'Cannot statfs "/a": no answer');
  time.tick(2_750);
  patient.query("/a");
  assertEquals(patient.problem("/a")?.message, 'Cannot statfs "/a": no answer');
  disk.asked[0]?.reject(new Error("Cannot statfs: not connected"));
  await settle();
  assertEquals(patient.problem("/a")?.message, "Cannot statfs: not connected");
  patient.query("/a");
  disk.asked[1]?.resolve(USE);
  await settle();
  assertEquals(patient.problem("/a"), undefined);
});
