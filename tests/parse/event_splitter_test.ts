import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { EventSplitter } from "../../lib/parse/event_splitter.ts";
import { readLongOrder } from "../../lib/panel/orders.ts";
import { parsePanelEvent } from "../../lib/panel/messages.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function split(text: string, { limitBytes = 10_000, cut = Infinity } = {}): EventSplitter {
  const splitter = new EventSplitter(limitBytes);
  const bytes = encode(text);
  for (let at = 0; at < bytes.length; at += cut) {
    if (!splitter.add(bytes.subarray(at, Math.min(bytes.length, at + cut)))) break;
  }
  return splitter;
}

Deno.test("EventSplitter gives each event and the rest, however the bytes are split", () => {
  const values = fc.array(fc.jsonValue().map((params) => ({ id: "e", params })), { maxLength: 5 });
  fc.assert(fc.property(values, fc.integer({ min: 1, max: 50 }), (events, cut) => {
    const answer = { jsonrpc: "2.0", id: 1, result: { events, status: 'x"}],{' } };
    const { events: texts, rest, isFull } = split(JSON.stringify(answer, null, 1), {
      limitBytes: 1e6,
      cut,
    });
    const parsed = texts.map((text) => typeof text === "string" ? JSON.parse(text) : undefined);
    assertEquals(parsed, JSON.parse(JSON.stringify(events)));
    const { result } = JSON.parse(rest);
    assertEquals(result, { events: events.map(() => 0), status: 'x"}],{' });
    assertEquals(isFull, false);
  }));
});

Deno.test("EventSplitter leaves all else as it is, and no more than 256 KiB of it", () => {
  const texts = ["", "<html>{{[", "]]]}}}", '{"result":{"a":{"b":1}}}', '{"a":{"b":{"c":{}}}}'];
  for (const text of texts) {
    assertEquals(split(text, { cut: 3 }).rest, text);
  }
  const { rest, isFull } = split("x".repeat(300_000), { cut: 1000 });
  assertEquals([rest.length, isFull], [256 * 1024, false]);
});

Deno.test("EventSplitter reads no more than the memory of one order, and leaves the rest to the next answer", () => {
  const event = (id: string, length: number) => ({
    id,
    method: "agent.exec",
    params: { command: "x".repeat(length), task_id: id },
  });
  const events = [event("a", 6_000), event("b", 6_000), event("c", 10)];
  const { events: texts, isFull } = split(JSON.stringify({ result: { events } }));
  assertEquals([texts.length, isFull], [2, true]);
});

Deno.test("EventSplitter abridges an event that is too long, so that it can be named and acknowledged", () => {
  const command = `echo '"task_id":"wrong" \\"task_id\\":\\"wrong\\"'; ${"x".repeat(20_000)}`;
  const events = [
    { id: "e1", method: "agent.exec", params: { task_id: "t1", command } },
    { id: "e2", method: "agent.exec", params: { command, task_id: "t2" } },
    { method: "agent.file", params: { args: { path: command }, request_id: "f" }, id: "e3" },
    { id: "e4", method: "agent.unheard-of", params: command },
    { params: [command, "x".repeat(5000)] },
    { id: "e5", method: "agent.message", params: "the events behind it go on" },
  ];
  const { events: texts } = split(JSON.stringify({ id: 1, result: { events } }));
  const limitBytes = 10_000;
  const parsed = texts.map((text) => parsePanelEvent(text, limitBytes));
  const long = (method: string, orderId: string | undefined, index: number) => ({
    kind: "too long",
    method,
    orderId,
    lengthBytes: JSON.stringify(events[index]).length,
    limitBytes,
  });
  assertEquals(parsed.map((event) => event?.id), ["e1", "e2", "e3", "e4", undefined, "e5"]);
  assertEquals(parsed.slice(0, 4).map((event) => event?.message), [
    long("agent.exec", "t1", 0),
    long("agent.exec", "t2", 1),
    long("agent.file", "f", 2),
    long("", undefined, 3),
  ] as unknown[]);
});

Deno.test("readLongOrder() reads both shapes of an order", () => {
  const text = JSON.stringify({ message: "exec", task_id: "t", command: "x" });
  const message = { head: encode(text), tail: encode(""), lengthBytes: 70_000 };
  const { order } = readLongOrder(message, 65_536);
  assert(order.kind === "too long");
  assertEquals([order.method, order.orderId], ["agent.exec", "t"]);
});

Deno.test("EventSplitter reads no answer without end, of one event or of many that are too long", () => {
  const long = `{"id":"a","method":"${"x".repeat(100_000)}"},`;
  for (const text of [long.slice(0, -3).padEnd(20_000_000, "x"), long.repeat(200)]) {
    const splitter = new EventSplitter(10_000);
    const bytes = new TextEncoder().encode(`{"result":{"events":[${text}`);
    let read = 0;
    while (read < bytes.length && splitter.add(bytes.slice(read, read + 1000))) read += 1000;
    const isEnough = read > 16 * 1024 * 1024 && read <= 16 * 1024 * 1024 + 256 * 1024;
    assertEquals([isEnough, splitter.isFull], [true, false], `${read}`);
  }
});
