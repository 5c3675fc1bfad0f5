import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseTaskList } from "../../lib/panel/task_list.ts";
import { onlySyntaxErrors } from "../parse/only_syntax_errors.ts";
import { cases, same } from "../cases.ts";

const TASK = '"id":3,"type":"tcp","target":"a:1","interval":5';

Deno.test("parseTaskList() reads the panel's tasks, ignores what it doesn't know, and skips invalid ones with the reason", () => {
  const long = (count: number) => "x".repeat(count);
  same(
    (text) => {
      const { tasks, skipped } = parseTaskList(text);
      const read = tasks.map(({ id, kind, target, intervalSeconds }) =>
        `${id} ${kind} ${target} ${intervalSeconds}`
      );
      return [...read, ...skipped.map((reason) => `skipped ${reason}`)].join(", ");
    },
    cases(`
null →
[] →
[{"id":1,"name":"a","clients":["x"],"weight":0,"type":"icmp","target":"1.1.1.1","interval":60}] → 1 icmp 1.1.1.1 60
[{${TASK}},{"id":2,"type":"http","target":"https://a.example","interval":5}] → 3 tcp a:1 5, 2 http https://a.example 5
[{${TASK}},{${TASK},"target":"new"}] → 3 tcp new 5
[{${TASK},"interval":0},{${TASK}}] → 3 tcp a:1 5, skipped 3 without an interval
[{${TASK},"interval":1.5}] → skipped 3 without an interval
[{${TASK},"interval":"5"}] → skipped 3 without an interval
[{${TASK},"type":"udp"}] → skipped 3 of type "udp"
[{${TASK},"id":0}] → skipped one without an id
[{${TASK},"id":"3"}] → skipped one without an id
[{${TASK},"target":5}] → skipped 3 without a target
[{${TASK},"target":"${long(2048)}"}] → 3 tcp ${long(2048)} 5
[{${TASK},"target":"${long(2049)}"}] → skipped 3 without a target
[null,"x"] → skipped one that is not an object, skipped one that is not an object
`),
  );
});

Deno.test("parseTaskList() takes a bounded number of tasks, and refuses more values than they have", () => {
  const list = (count: number) =>
    Array.from(
      { length: count },
      (_, id) => `{"id":${id + 1},"type":"tcp","target":"a","interval":5}`,
    );
  const { tasks, skipped } = parseTaskList(`[${list(10_005)}]`);
  assertEquals([tasks.length, skipped], [10_000, ["all after the first 10000"]]);
  assertEquals(parseTaskList(`[${list(10_000)}]`).skipped, []);
  const bomb = `[${"{},".repeat(300_000)}{}]`;
  assertThrows(() => parseTaskList(bomb), SyntaxError, "too many values");
});

Deno.test("parseTaskList() throws SyntaxError for anything but a list, and nothing else ever", () => {
  for (const text of ["", "{}", "1", '"x"', "<html>", '[{"id":1}']) {
    assertThrows(() => parseTaskList(text), SyntaxError);
  }
  onlySyntaxErrors(parseTaskList, [`[{${TASK}}]`]);
  fc.assert(fc.property(fc.array(fc.jsonValue()), (list) => {
    parseTaskList(JSON.stringify(list));
  }));
});
