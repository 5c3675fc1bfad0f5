import { assertEquals } from "@std/assert";
import type { FileSystemUse } from "../../lib/host/host.ts";
import { NonblockingStatfs } from "../../lib/metrics/nonblocking_statfs.ts";
import { timed } from "../fake_time.ts";
import { testsWith } from "../tests_with.ts";

const USE = { blockSizeBytes: 1, blocks: 10, freeBlocks: 5 };

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

timed.test("NonblockingStatfs.problem() tells that no answer came in time, until one does", async (time) => {
  const disks = new SlowDisks();
  const { statfs } = disks;
  const after = (ms: number) => {
    time.tick(ms);
    return [statfs.query("/nfs"), statfs.problem("/nfs")?.message];
  };
  const late = 'Cannot statfs "/nfs": no answer';
  after(0);
  assertEquals(after(249), [undefined, undefined], "it may have been plugged in just now");
  assertEquals(after(1), [undefined, late]);
  time.tick(2_750);
  await disks.answer(0);
  assertEquals(after(0), [USE, late], "the next one has to be in time");
  time.tick(2_999);
  await disks.answer(1);
  assertEquals(after(0), [USE, undefined]);
  assertEquals([after(2_999), after(1)], [[USE, undefined], [USE, late]]);
  await disks.answer(2, new Error("stale"));
  after(0);
  await disks.answer(3, new Error("stale"));
  assertEquals(after(0), [undefined, "stale"]);
});
