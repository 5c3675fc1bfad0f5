import { assertEquals } from "@std/assert";
import { RecentIds } from "../../lib/remote/task_queue.ts";

Deno.test("RecentIds.add() takes an id once, and remembers 1024", () => {
  const seen = new RecentIds();
  for (let id = 0; id < 1024; id++) assertEquals(seen.add(`${id}`), true);
  const ids = ["0", "__proto__", "1", "0"];
  assertEquals(ids.map((id) => seen.add(id)), [false, true, false, true]);
});
