import { assertEquals } from "@std/assert";
import { SeenIds } from "../../lib/remote/task_queue.ts";

Deno.test("SeenIds.add() takes an id once, as long as it remembers it", () => {
  const seen = new SeenIds(2);
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

Deno.test("SeenIds.add() refuses what can be no id", () => {
  const seen = new SeenIds(10);
  assertEquals(seen.add(""), false);
  assertEquals(seen.add("x".repeat(257)), false);
  assertEquals(seen.add("x".repeat(256)), true);
  assertEquals(seen.add("__proto__"), true);
});
