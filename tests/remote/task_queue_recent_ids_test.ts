import { assertEquals } from "@std/assert";
import { RecentIds } from "../../lib/remote/task_queue.ts";

Deno.test("RecentIds.add() takes an id once, as long as it remembers it", () => {
  const seen = new RecentIds();
  for (let n = 0; n < 1022; n++) assertEquals(seen.add(`older ${n}`), true);
  assertEquals(["a", "a", "b", "a"].map((id) => seen.add(id)), [true, false, true, false]);
  for (let n = 0; n < 1022; n++) assertEquals(seen.add(`newer ${n}`), true);
  assertEquals(["b", "c", "c", "a"].map((id) => seen.add(id)), [false, true, false, true]);
  assertEquals(seen.add("__proto__"), true);
});
