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

Deno.test("RecentIds.add() remembers 1024 ids", () => {
  const seen = new RecentIds();
  for (let id = 0; id < 1024; id++) assertEquals(seen.add(`${id}`), true);
  assertEquals(seen.add("0"), false);
  assertEquals(seen.add("1024"), true);
  assertEquals([seen.add("1"), seen.add("0")], [false, true]);
});
