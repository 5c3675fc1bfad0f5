import { assertEquals } from "@std/assert";
import { BoundedQueue } from "../lib/bounded_queue.ts";

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

Deno.test("BoundedQueue processes a bounded number of items at a time, in order", async () => {
  const { queue, started, ends } = manual({ concurrency: 2, capacity: 10 });
  for (const item of [1, 2, 3, 4]) queue.add(item);
  assertEquals(started, [1, 2]);
  ends[0]?.();
  await settle();
  assertEquals(started, [1, 2, 3]);
});

Deno.test("BoundedQueue drops the oldest when too many wait and whenFull says so", async () => {
  const { queue, started, ends } = manual({ concurrency: 1, capacity: 2, whenFull: "drop oldest" });
  for (const item of [1, 2, 3, 4]) queue.add(item);
  assertEquals(queue.dropped, 1);
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
  assertEquals(queue.dropped, 0);
  ends[0]?.();
  await settle();
  assertEquals(started, [1, 2]);
  const { queue: other } = manual({ concurrency: 1, capacity: 0 });
  assertEquals([other.add(1), other.add(2)], [true, false]);
});
