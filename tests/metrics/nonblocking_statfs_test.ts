import { assertEquals } from "@std/assert";
import type { FileSystemUse } from "../../lib/host/host.ts";
import { NonblockingStatfs } from "../../lib/metrics/nonblocking_statfs.ts";
import { timed } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { testsWith } from "../tests_with.ts";

const USE = { blockSizeBytes: 1, blocks: 10, freeBlocks: 5, availableBlocks: 5 };

/** Disks that answer when they are told to, in the order in which they were asked. */
class SlowDisks {
  readonly asked: PromiseWithResolvers<FileSystemUse>[] = [];
  readonly statfs = new NonblockingStatfs({
    statfsAsync: () => {
      const call = Promise.withResolvers<FileSystemUse>();
      this.asked.push(call);
      return call.promise;
    },
  });

  async answer(at: number, error?: Error): Promise<void> {
    if (error) this.asked[at]?.reject(error);
    else this.asked[at]?.resolve(USE);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
}

const withDisks = testsWith(() => new SlowDisks());

withDisks.test("NonblockingStatfs.query() has eight calls in flight, and starts the others as those end", async (disks) => {
  const paths = Array.from({ length: 20 }, (_, number) => `/${number}`);
  for (let time = 0; time < 3; time++) paths.forEach((path) => disks.statfs.query(path));
  assertEquals(disks.asked.length, 8);
  // Seven hang; the others have their turn all the same.
  for (let turn = 7; turn < 20; turn++) await disks.answer(turn);
  assertEquals(disks.asked.length, 20);
  assertEquals(paths.filter((path) => disks.statfs.query(path) !== undefined).length, 13);
  // What waited and is not wanted any more is not asked.
  const few = new SlowDisks();
  for (const path of paths) few.statfs.query(path);
  few.statfs.prune(new Set());
  for (let turn = 0; turn < 20; turn++) await few.answer(turn);
  assertEquals(few.asked.length, 8);
});

timed.test("NonblockingStatfs.query() logs a timeout once, and once more when statfs works again", async (time) => {
  const disks = new SlowDisks();
  const { statfs } = disks;
  const lines = await collectedLog(async (lines) => {
    statfs.query("/nfs");
    for (const atMs of [1_000, 2_999, 3_000, 4_000, 500_000]) {
      time.tick(atMs - performance.now());
      statfs.query("/nfs");
      assertEquals(lines.length, atMs < 3_000 ? 0 : 1);
    }
    // Late is no sign that all is well: the next one has to be in time.
    await disks.answer(0);
    statfs.query("/nfs");
    time.tick(3_000);
    assertEquals(statfs.query("/nfs"), USE);
    await disks.answer(1);
    assertEquals(lines.length, 1);
    statfs.query("/nfs");
    time.tick(2_999);
    await disks.answer(2);
    statfs.query("/nfs");
    time.tick(3_000);
    statfs.query("/nfs");
  });
  assertEquals(lines.map((line) => line.slice(line.indexOf("/nfs"))), [
    "/nfs timed out: it is not counted",
    "/nfs works again",
    "/nfs timed out: its last known usage is reported",
  ]);
});
