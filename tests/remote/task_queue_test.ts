import { assertEquals } from "@std/assert";
import { createTaskQueue, RecentIds } from "../../lib/remote/task_queue.ts";

Deno.test("createTaskQueue() with add() runs so much at a time, in order, and refuses what is too much", async () => {
  const turns = createTaskQueue({ concurrency: 2, capacity: 3 });
  const started: number[] = [];
  const gates = Array.from({ length: 6 }, () => Promise.withResolvers<void>());
  const taken = gates.map(({ promise }, index) =>
    turns.add(() => {
      started.push(index);
      return promise;
    })
  );
  assertEquals(taken, [true, true, true, true, true, false]);
  assertEquals(started, [], "nothing starts before the caller goes on");
  await Promise.resolve();
  assertEquals(started, [0, 1]);
  gates[1]?.resolve();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(started, [0, 1, 2]);
  const closing = turns.close();
  for (const { resolve } of gates) resolve();
  await closing;
  assertEquals(started, [0, 1, 2]);
});

Deno.test("RecentIds.add() takes an id once, as long as it remembers it", () => {
  const seen = new RecentIds();
  for (let n = 0; n < 1022; n++) assertEquals(seen.add(`older ${n}`), true);
  assertEquals(["a", "a", "b", "a"].map((id) => seen.add(id)), [true, false, true, false]);
  for (let n = 0; n < 1022; n++) assertEquals(seen.add(`newer ${n}`), true);
  assertEquals(["b", "c", "c", "a"].map((id) => seen.add(id)), [false, true, false, true]);
  assertEquals(seen.add("__proto__"), true);
});

Deno.test("RecentIds.add() remembers 1024 ids", () => {
  const seen = new RecentIds();
  for (let id = 0; id < 1024; id++) assertEquals(seen.add(`${id}`), true);
  assertEquals(seen.add("0"), false);
  assertEquals(seen.add("1024"), true);
  assertEquals([seen.add("1"), seen.add("0")], [false, true]);
});
