import { assertEquals } from "@std/assert";
import { EventQueue } from "../../lib/demo/event_queue.ts";
import { FakeTime } from "../fake_time.ts";

Deno.test("EventQueue keeps an event for its lifetime", () => {
  for (
    const [method, lifetimeMs] of [
      ["agent.exec", 300_000],
      ["agent.ping", 3_000],
      ["agent.file", 120_000],
      ["agent.startupConfig", 20_000],
    ] as const
  ) {
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
