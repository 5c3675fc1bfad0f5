import { assertEquals } from "@std/assert";
import { EventQueue } from "../../lib/demo/node.ts";
import { FakeTime, timed } from "../fake_time.ts";

Deno.test("EventQueue keeps an event for its lifetime", () => {
  const table = [
    ["agent.exec", 300_000],
    ["agent.ping", 3_000],
    ["agent.file", 120_000],
    ["agent.startupConfig", 20_000],
  ] as const;
  for (const [method, lifetimeMs] of table) {
    using time = new FakeTime();
    const queue = new EventQueue();
    queue.add({ method, params: {} });
    time.tick(lifetimeMs - 1);
    assertEquals(queue.poll([]).map((event) => event.method), [method]);
    time.tick(1);
    assertEquals(queue.poll([]), [], method);
  }
});

Deno.test("EventQueue keeps the newest 128 events", () => {
  const queue = new EventQueue();
  for (let n = 0; n < 130; n++) queue.add({ method: "agent.exec", params: { n } });
  const kept = queue.poll([]);
  assertEquals([kept.length, kept[0]?.params.n, kept[127]?.params.n], [128, 2, 129]);
});

timed.test("EventQueue has a newer event replace one of the same probe or terminal, and no other", () => {
  const ping = (task: number, n: number) => ({
    method: "agent.ping",
    params: { ping_task_id: task, n },
  });
  const terminal = (id: string, n: number) => ({
    method: "agent.terminal.request",
    params: { request_id: id, n },
  });
  const exec = (n: number) => ({ method: "agent.exec", params: { request_id: "a", n } });
  const queue = new EventQueue();
  const orders = [
    ...[ping(1, 1), ping(2, 2), ping(1, 3), ping(0, 4), ping(0, 5)],
    ...[terminal("a", 6), terminal("b", 7), terminal("a", 8), exec(9), exec(10)],
  ];
  for (const order of orders) queue.add(order);
  assertEquals(queue.poll([]).map(({ params }) => params.n), [2, 3, 4, 5, 7, 8, 9, 10]);
});

Deno.test("EventQueue.poll() removes what is acknowledged, and gives the oldest of the rest", () => {
  const queue = new EventQueue();
  for (const n of [1, 2, 3, 4]) queue.add({ method: "agent.exec", params: { n } });
  const [first, second] = queue.poll([]);
  const left = queue.poll([first?.id ?? "", "unknown"], 2);
  assertEquals(left.map(({ params }) => params.n), [2, 3]);
  assertEquals(left[0], second, "an event keeps its id and its times");
  assertEquals(queue.poll([]).length, 3);
});
