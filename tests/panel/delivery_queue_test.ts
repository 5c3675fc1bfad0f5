import { assertEquals } from "@std/assert";
import { Outbox } from "../../lib/panel/delivery_queue.ts";

function manual(options: { parallel: number; capacity: number }) {
  const started: number[] = [];
  const ends: (() => void)[] = [];
  const outbox = new Outbox<number>({
    ...options,
    deliver(item) {
      started.push(item);
      return new Promise((resolve) => ends.push(resolve));
    },
  });
  return { outbox, started, ends };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

Deno.test("Outbox delivers a few at a time, in order", async () => {
  const { outbox, started, ends } = manual({ parallel: 2, capacity: 10 });
  for (const item of [1, 2, 3, 4]) outbox.add(item);
  assertEquals(started, [1, 2]);
  ends[0]?.();
  await settle();
  assertEquals(started, [1, 2, 3]);
});

Deno.test("Outbox drops the oldest when too many wait", async () => {
  const { outbox, started, ends } = manual({ parallel: 1, capacity: 2 });
  for (const item of [1, 2, 3, 4]) outbox.add(item);
  assertEquals(outbox.dropped, 1);
  ends[0]?.();
  await settle();
  assertEquals(started, [1, 3]);
});

Deno.test("Outbox.close() forgets what waits and ends with what is under way", async () => {
  const { outbox, started, ends } = manual({ parallel: 1, capacity: 5 });
  for (const item of [1, 2, 3]) outbox.add(item);
  let closed = false;
  const closing = outbox.close().then(() => closed = true);
  await settle();
  assertEquals(closed, false);
  ends[0]?.();
  await closing;
  assertEquals(started, [1]);
});
