import { assertEquals } from "@std/assert";
import { createTaskQueue, RecentIds } from "../../lib/remote/task_queue.ts";

Deno.test("createTaskQueue() starts nothing before the caller of add() goes on", async () => {
  let started = 0;
  createTaskQueue({ concurrency: 2, capacity: 3 }).add(() => Promise.resolve(void started++));
  assertEquals(started, 0);
  await Promise.resolve();
  assertEquals(started, 1);
});

Deno.test("RecentIds.add() takes an id once, and remembers 1024", () => {
  const seen = new RecentIds();
  for (let id = 0; id < 1024; id++) assertEquals(seen.add(`${id}`), true);
  const ids = ["0", "__proto__", "1", "0"];
  assertEquals(ids.map((id) => seen.add(id)), [false, true, false, true]);
});
