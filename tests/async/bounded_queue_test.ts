import { assertEquals } from "@std/assert";
import { BoundedQueue } from "../../lib/async/bounded_queue.ts";
import { FakeTime } from "../fake_time.ts";

function manual(
  options: { concurrency: number; capacity: number; whenFull?: "refuse" | "drop oldest" },
) {
  const started: number[] = [];
  const ends: (() => void)[] = [];
  const queue = new BoundedQueue<number>({
    ...options,
    run(item) {
      started.push(item);
      return new Promise((resolve) => ends.push(resolve));
    },
  });
  return { queue, started, ends };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

Deno.test("BoundedQueue drops the oldest when too many wait and whenFull says so", async () => {
  const { queue, started, ends } = manual({ concurrency: 1, capacity: 2, whenFull: "drop oldest" });
  for (const item of [1, 2, 3, 4]) queue.add(item);
  ends[0]?.();
  await settle();
  assertEquals(started, [1, 3]);
});

Deno.test("BoundedQueue.close() drops what waits and resolves when what runs has ended", async () => {
  const { queue, started, ends } = manual({ concurrency: 1, capacity: 5 });
  for (const item of [1, 2, 3]) queue.add(item);
  let closed = false;
  const closing = queue.close().then(() => closed = true);
  await settle();
  assertEquals(closed, false);
  ends[0]?.();
  await closing;
  assertEquals(started, [1]);
});

Deno.test("BoundedQueue.add() refuses items when too many wait, and takes one that can start at once", async () => {
  const { queue, started, ends } = manual({ concurrency: 1, capacity: 1 });
  assertEquals([1, 2, 3].map((item) => queue.add(item)), [true, true, false]);
  ends[0]?.();
  await settle();
  assertEquals(started, [1, 2]);
  const { queue: other } = manual({ concurrency: 1, capacity: 0 });
  assertEquals([other.add(1), other.add(2)], [true, false]);
});

/** A queue of numbers with a bound on starts; a run takes `tookMs`. */
function bench(tookMs: number) {
  const time = new FakeTime();
  const started: { item: number; atMs: number }[] = [];
  const unwanted = new Set<number>();
  const queue = new BoundedQueue<number>({
    concurrency: 16,
    capacity: 1000,
    startRate: { starts: 16, periodMs: 100 },
    run: (item) => {
      started.push({ item, atMs: performance.now() });
      return new Promise((resolve) => void setTimeout(resolve, tookMs));
    },
    isWanted: (item) => !unwanted.has(item),
  });
  return { time, started, unwanted, queue, items: () => started.map(({ item }) => item) };
}

function numbers(count: number): number[] {
  return [...Array(count).keys()];
}

Deno.test("BoundedQueue.prune() makes room, and unwanted items are never run", async () => {
  const { time, queue, unwanted, items } = bench(1000);
  using _ = time;
  for (const item of numbers(1016)) queue.add(item);
  for (const item of numbers(1016).slice(20)) unwanted.add(item);
  queue.prune();
  assertEquals(queue.add(2000), true);
  unwanted.add(18);
  await time.run(1000);
  assertEquals(items(), [...numbers(18), 19, 2000]);
});

Deno.test("BoundedQueue.clear() leaves no timer and nothing to run, and the start rate for what comes then", async () => {
  const { time, queue, items } = bench(1);
  using _ = time;
  for (const isRefilled of [false, true]) {
    for (const item of numbers(100)) queue.add(item);
    await time.run(5);
    assertEquals([items().splice(0).length, time.timers], [16 + (isRefilled ? 16 : 0), 1]);
    queue.clear();
    assertEquals(time.timers, 0);
    if (!isRefilled) await time.run(995);
  }
  queue.add(200);
  await time.run(94);
  assertEquals(items().length, 32);
  await time.run(1);
  assertEquals(items().slice(32), [200]);
});

Deno.test("BoundedQueue.drain() resolves when nothing is processed, or can be at that time", async () => {
  const { queue, ends, started } = manual({ concurrency: 1, capacity: 5 });
  await queue.drain();
  for (const item of [1, 2, 3]) queue.add(item);
  let isDrained = false;
  const draining = queue.drain().then(() => isDrained = true);
  for (const ended of [1, 2, 3]) {
    await settle();
    assertEquals([started.length, isDrained], [ended, false]);
    ends[ended - 1]?.();
  }
  await draining;
});
