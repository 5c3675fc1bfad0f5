import { assertEquals } from "@std/assert";
import { createClock } from "@sinonjs/fake-timers";
import { createRunQueue } from "../../lib/probe/run_queue.ts";

/** A queue of numbers on a clock of its own; a run takes `tookMs`. */
function bench(tookMs: number) {
  const clock = createClock();
  const started: { item: number; atMs: number }[] = [];
  const unwanted = new Set<number>();
  const queue = createRunQueue<number>({
    run: (item) => {
      started.push({ item, atMs: clock.now });
      return new Promise((resolve) => void clock.setTimeout(resolve, tookMs));
    },
    isWanted: (item) => !unwanted.has(item),
    timers: clock,
    monotonicMs: () => clock.now,
  });
  return { clock, started, unwanted, queue, items: () => started.map(({ item }) => item) };
}

function numbers(count: number): number[] {
  return [...Array(count).keys()];
}

Deno.test("createRunQueue() runs 16 items at a time, in the order they came", async () => {
  const { clock, started, queue, items } = bench(1000);
  for (const item of numbers(40)) queue.add(item);
  await clock.tickAsync(3000);
  assertEquals(items(), numbers(40));
  assertEquals(started.map(({ atMs }) => atMs), [
    ...Array(16).fill(0),
    ...Array(16).fill(1000),
    ...Array(8).fill(2000),
  ]);
  assertEquals(clock.countTimers(), 0);
});

Deno.test("createRunQueue() starts no more than 16 items in 100 ms, however short they are", async () => {
  const { clock, started, queue, items } = bench(1);
  for (const item of numbers(100)) queue.add(item);
  await clock.tickAsync(99);
  assertEquals(items(), numbers(16));
  await clock.tickAsync(501);
  assertEquals(items(), numbers(100));
  assertEquals(started.at(-1)?.atMs, 600);
  await clock.tickAsync(1);
  assertEquals(clock.countTimers(), 0);
});

Deno.test("createRunQueue() refuses items when a thousand wait", () => {
  const { queue } = bench(1000);
  assertEquals(numbers(1016).every((item) => queue.add(item)), true);
  assertEquals(queue.add(1016), false);
  queue.clear();
  assertEquals(queue.add(1017), true);
  queue.clear();
});

Deno.test("createRunQueue() with prune() makes room, and unwanted items are never run", async () => {
  const { clock, queue, unwanted, items } = bench(1000);
  for (const item of numbers(1016)) queue.add(item);
  for (const item of numbers(1016).slice(20)) unwanted.add(item);
  queue.prune();
  assertEquals(queue.add(2000), true);
  unwanted.add(18);
  await clock.tickAsync(1000);
  assertEquals(items(), [...numbers(18), 19, 2000]);
});

Deno.test("createRunQueue() with clear() leaves no timer and nothing to run", async () => {
  const { clock, queue, items } = bench(1);
  for (const item of numbers(100)) queue.add(item);
  await clock.tickAsync(5);
  assertEquals(clock.countTimers(), 1);
  queue.clear();
  assertEquals(clock.countTimers(), 0);
  await clock.tickAsync(1000);
  assertEquals(items().length, 16);
});
