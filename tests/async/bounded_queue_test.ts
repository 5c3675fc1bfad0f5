import { assertEquals } from "@std/assert";
import { BoundedQueue } from "../../lib/async/bounded_queue.ts";
import { FakeTime } from "../fake_time.ts";

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

Deno.test("BoundedQueue.drain() resolves when nothing is processed", async () => {
  const { time, queue, items } = bench(1000);
  using _ = time;
  for (const item of numbers(40)) queue.add(item);
  let isDrained = false;
  const draining = queue.drain().then(() => isDrained = true);
  await time.run(2_999);
  assertEquals([items().length, isDrained], [40, false]);
  await time.run(1);
  await draining;
});
