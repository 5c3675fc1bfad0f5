import { assertEquals } from "@std/assert";
import { createTaskQueue } from "../../lib/remote/task_queue.ts";

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
