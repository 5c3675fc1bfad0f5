import { assert, assertArrayIncludes, assertEquals, assertLess } from "@std/assert";
import { hostileTaskList } from "../../lib/demo/hostile_tasks.ts";

Deno.test("hostileTaskList() holds 10,000 tasks in less than 1 MiB", () => {
  const text = hostileTaskList();
  assertLess(new TextEncoder().encode(text).length, 1024 * 1024);
  const list = JSON.parse(text);
  assert(Array.isArray(list));
  const tasks = list.slice(-10_000);
  assert(tasks.every((task) => typeof task.id === "number" && typeof task.target === "string"));
  assertEquals(new Set(tasks.map((task) => task.id)).size, 9_000);
  assertArrayIncludes(tasks.map((task) => task.target), ["-f", "127.0.0.1\n-f", "::1%lo"]);
  assertArrayIncludes(tasks.map((task) => task.interval), [0, -1, 1]);
  assertArrayIncludes(list, [null, 7, {}]);
});
