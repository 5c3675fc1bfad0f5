import { assertEquals } from "@std/assert";
import { RecentIds } from "../../lib/remote/task_queue.ts";

Deno.test("RecentIds.add() takes an id once, as long as it remembers it", () => {
  const seen = new RecentIds(2);
  assertEquals(["a", "a", "b", "a", "c", "c", "a"].map((id) => seen.add(id)), [
    true,
    false,
    true,
    false,
    true,
    false,
    true,
  ]);
});

Deno.test("RecentIds.add() refuses what can be no id", () => {
  const seen = new RecentIds(10);
  assertEquals(seen.add(""), false);
  assertEquals(seen.add("x".repeat(257)), false);
  assertEquals(seen.add("x".repeat(256)), true);
  assertEquals(seen.add("__proto__"), true);
});
