import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseTaskList } from "../../lib/panel/task_list.ts";

Deno.test("parseTaskList() reads the panel's tasks and ignores what it doesn't know", () => {
  const text = `[{"id":1,"name":"a","clients":["x"],"weight":0,"type":"icmp","target":"1.1.1.1",
    "interval":60},{"id":2,"type":"http","target":"https://a.example","interval":5}]`;
  assertEquals(parseTaskList(text), {
    tasks: [
      { id: 1, kind: "icmp", target: "1.1.1.1", intervalSeconds: 60 },
      { id: 2, kind: "http", target: "https://a.example", intervalSeconds: 5 },
    ],
    skipped: [],
  });
  assertEquals(parseTaskList("null"), { tasks: [], skipped: [] });
  assertEquals(parseTaskList("[]"), { tasks: [], skipped: [] });
});

Deno.test("parseTaskList() skips invalid tasks, with the reason", () => {
  const task = { id: 3, type: "tcp", target: "a:1", interval: 5 };
  const wrong: [unknown, string][] = [
    [{ ...task, interval: 0 }, "interval"],
    [{ ...task, interval: 1.5 }, "interval"],
    [{ ...task, interval: "5" }, "interval"],
    [{ ...task, type: "udp" }, "udp"],
    [{ ...task, id: 0 }, "id"],
    [{ ...task, id: "3" }, "id"],
    [{ ...task, target: 5 }, "target"],
    [{ ...task, target: "x".repeat(5000) }, "target"],
    [null, "not an object"],
    ["x", "not an object"],
  ];
  for (const [item, word] of wrong) {
    const { tasks, skipped } = parseTaskList(JSON.stringify([item, { ...task, id: 9 }]));
    assertEquals(tasks.map(({ id }) => id), [9]);
    assertEquals(skipped.length, 1, JSON.stringify(item));
    assertStringIncludes(skipped[0] ?? "", word);
  }
});

Deno.test("parseTaskList() takes the last of two tasks with one id, and a bounded number", () => {
  const list = Array.from({ length: 10_005 }, (_, index) => ({
    id: index + 1,
    type: "tcp",
    target: "a",
    interval: 5,
  }));
  const { tasks, skipped } = parseTaskList(JSON.stringify(list));
  assertEquals(tasks.length, 10_000);
  assertEquals(skipped.length, 1);
  assertEquals(parseTaskList(JSON.stringify(list.slice(0, 10_000))).skipped, []);
  const twice = [{ ...list[0], target: "old" }, { ...list[0], target: "new" }];
  assertEquals(parseTaskList(JSON.stringify(twice)).tasks.map(({ target }) => target), ["new"]);
});

Deno.test("parseTaskList() throws SyntaxError for anything but a list, and nothing else ever", () => {
  for (const text of ["", "{}", "1", '"x"', "<html>", '[{"id":1}']) {
    assertThrows(() => parseTaskList(text), SyntaxError);
  }
  fc.assert(fc.property(fc.json(), (text) => {
    try {
      parseTaskList(text);
    } catch (error) {
      assert(error instanceof SyntaxError);
    }
  }));
  fc.assert(fc.property(fc.array(fc.jsonValue()), (list) => {
    parseTaskList(JSON.stringify(list));
  }));
});

Deno.test("parseTaskList() refuses a list with more values than 10,000 tasks have", () => {
  const bomb = `[${"{},".repeat(300_000)}{}]`;
  assertThrows(() => parseTaskList(bomb), SyntaxError, "too many values");
});
