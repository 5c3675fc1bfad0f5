import { assertEquals } from "@std/assert";
import { MessageLimit } from "../../lib/panel/message_limit.ts";
import { MessageReceiver } from "../../lib/panel/message_receiver.ts";
import type { PanelMessage } from "../../lib/panel/messages.ts";
import type { PanelOrder } from "../../lib/panel/orders.ts";
import { FakeTime } from "../fake_time.ts";
import { panelLines } from "./panel_lines.ts";

const ORDER: PanelOrder = { kind: "command", taskId: "c", command: "id" };

Deno.test("MessageReceiver.onMessage() passes on orders, and logs all else once a minute", () => {
  const orders: PanelOrder[] = [];
  const messages: PanelMessage[] = [
    ORDER,
    { kind: "notice", text: "hello {more}" },
    { kind: "invalid", reason: "not an object" },
    { kind: "unknown", method: '"agent.new"' },
    { kind: "answer", error: { text: "no token" } },
    { kind: "answer", id: 1 },
  ];
  const lines = panelLines((time) => {
    const receiver = new MessageReceiver(new MessageLimit(), (order) => orders.push(order));
    for (let n = 0; n < 3; n++) for (const message of messages) receiver.onMessage(message);
    time.tick(60_000);
    for (const message of messages) receiver.onMessage(message);
  });
  assertEquals(orders, Array(4).fill(ORDER));
  const unknown = 'debug Ignored an unknown order of the panel: "agent.new"';
  assertEquals(lines, [
    "info The panel says: hello {more}",
    "warning Ignored a message of the panel: not an object",
    unknown,
    "info The panel says: hello {more} (and 2 more since the last line)",
    "warning Ignored a message of the panel: not an object (and 5 more since the last line)",
    `${unknown} (and 2 more since the last line)`,
  ]);
});

Deno.test("MessageReceiver.onEvents() counts each event as a message, and waits when there are too many", async () => {
  using time = new FakeTime();
  const orders: PanelOrder[] = [];
  const receiver = new MessageReceiver(new MessageLimit(), (order) => orders.push(order));
  const stop = new AbortController();
  const events = Array.from({ length: 256 }, (_, n) => ({ id: `${n}`, message: ORDER }));
  for (let n = 0; n < 3; n++) await receiver.onEvents(events, stop.signal);
  const last = receiver.onEvents(events, stop.signal);
  assertEquals([orders.length, time.timers], [1001, 1]);
  await time.run(1_020);
  await last;
  assertEquals([orders.length, time.timers], [1024, 0]);
  const late = receiver.onEvents(events, stop.signal);
  assertEquals(orders.length, 1024 + 28);
  stop.abort();
  await late;
  assertEquals([orders.length, time.timers], [1280, 0]);
});
