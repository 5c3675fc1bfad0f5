import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { EventSplitter } from "../../lib/parse/event_splitter.ts";
import {
  type PanelEvent,
  type PanelMessage,
  parsePanelEvent,
  parsePanelMessage,
} from "../../lib/panel/messages.ts";
import { cases, same } from "../cases.ts";

const LIMIT_BYTES = 64 * 1024;
const x = (count: number) => "x".repeat(count);

/** The events of an answer. */
function eventsOf(text: string): PanelEvent[] {
  const splitter = new EventSplitter(LIMIT_BYTES);
  splitter.add(new TextEncoder().encode(text));
  return splitter.events.flatMap((event) => parsePanelEvent(event, LIMIT_BYTES) ?? []);
}

/**
 * What is read of a message: of an order by its name in either version and its parameters, or of JSON.
 * Its kind and all else in the order in which it is read.
 */
function read(words: string): string {
  const [, name, params = "null"] = /^([\w.]+) ?(.+)?$/s.exec(words) ?? [];
  const isNewer = name?.startsWith("agent.");
  const text = name === undefined
    ? words
    : isNewer
    ? `{"jsonrpc":"2.0","method":"${name}","params":${params}}`
    : `{"message":"${name}",${params.slice(1)}`;
  const message = parsePanelMessage(text);
  assertBounded(message, new Set());
  const { kind, ...more } = message;
  return [kind, ...Object.values(more).map((value) => JSON.stringify(value))].join(" ");
}

const PROBE = '"ping_task_id":7,"ping_type":"tcp"';
const FILE = '"request_id":"f-1","op":"list"';

Deno.test("parsePanelMessage() reads orders of both versions, whatever is in them", () => {
  const probe = '{"id":7,"kind":"tcp","target":"host:443"';
  const odd = ["null", "[]", '"x"', "1"];
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
  const rows = cases(`
agent.ping {${PROBE},"ping_target":"host:443"} → probe ${probe}}
ping {${PROBE},"ping_target":"host:443"} → probe ${probe}}
agent.ping {${PROBE},"ping_target":"${x(2048)}"} → probe {"id":7,"kind":"tcp","target":"${x(2048)}"}
agent.ping {"ping_task_id":7,"ping_type":"dual","ping_target":"h"} → probe {"id":7,"kind":"dual","target":"h"}
agent.ping {"ping_task_id":7,"ping_type":"auto","ping_target":"h"} → probe {"id":7,"kind":"auto","target":"h"}
agent.ping {${PROBE},"ping_target":"host:443","ping_reference":" gate "} → probe ${probe},"reference":"gate"}
${
    ['""', '" "', "null", "5", `"${x(3000)}"`].map((it) =>
      `agent.ping {${PROBE},"ping_target":"host:443","ping_reference":${it}} → probe ${probe}}`
    ).join("\n")
  }
agent.exec {"task_id":"c-1","command":"id"} → command "c-1" "id"
exec {"task_id":"c-1","command":"id"} → command "c-1" "id"
agent.exec {"task_id":"${x(200)}","command":""} → command "${x(200)}" ""
agent.terminal.request {"request_id":"r-1"} → terminal "r-1" true
terminal {"request_id":"r-1"} → terminal "r-1" false
agent.startupConfig {"request_id":"s-1"} → startup config "s-1"
agent.switchVersion {"version":"1.2.*"} → switch version "1.2.*"
agent.switchVersion {"version":"${x(100)}"} → switch version "${x(100)}"
agent.file {"uuid":"u",${FILE},"args":{"path":"/"}} → file "f-1" "list" {"path":"/"}
${odd.map((args) => `agent.file {${FILE},"args":${args}} → file "f-1" "list" {}`).join("\n")}
agent.file {"request_id":"f-1","op":1} → file "f-1" "" {}
agent.message {"text":"hello"} → notice ${JSON.stringify('{"text":"hello"}')}
agent.event "hello" → notice ${JSON.stringify('"hello"')}
agent.event [1,null] → notice "[1,null]"
{"method":"agent.event"} → notice "nothing"
agent.message "${x(100_000)}" → notice ${JSON.stringify(`"${x(198)}…`)}
agent.remote.request {} → unknown ${JSON.stringify('"agent.remote.request"')}
agent.ping {"ping_task_id":7,"ping_type":"udp"} → unknown ${
    JSON.stringify('"agent.ping" of type "udp"')
  }
ping {"ping_task_id":7,"ping_type":"udp"} → unknown ${JSON.stringify('"agent.ping" of type "udp"')}
agent.ping {"ping_task_id":7} → unknown ${JSON.stringify('"agent.ping" of type nothing')}
{"message":"__proto__"} → unknown ${JSON.stringify('"__proto__"')}
${names.map((it) => `{"method":"${it}"} → unknown ${JSON.stringify(`"${it}"`)}`).join("\n")}
`);
  same(read, rows);
});

Deno.test("parsePanelMessage() reads commands up to 4 MiB, and names the size of longer ones", () => {
  const limitBytes = 4 * 1024 * 1024;
  const longest = `${x(limitBytes - 3)}€`;
  const order = (command: string) => `agent.exec {"task_id":"c","command":"${command}"}`;
  assertEquals(read(order(longest)), `command "c" "${longest}"`);
  const tooLong = `too long "agent.exec" "c" ${limitBytes + 1} ${limitBytes}`;
  assertEquals(read(order(`${longest}!`)), tooLong);
});

/** Answers, and their numbers and errors. */
const ANSWERS = cases(`
{"jsonrpc":"2.0","id":3,"result":{"status":"success"}} → answer 3
{"id":3,"result":null} → answer 3
{"id":3} → answer 3
{"id":"3","result":{}} → answer
{"id":3,"error":{"message":"not saved","data":""}} → answer 3 {"text":"not saved"}
{"id":4,"error":{"code":-1,"message":"not saved","data":"x"}} → answer 4 {"code":-1,"text":"not saved, x"}
{"id":null,"error":{"code":-1,"message":"not saved"}} → answer {"code":-1,"text":"not saved"}
{"status":"error","error":"not saved"} → answer {"text":"not saved"}
{"error":{"code":"-32000","message":"not saved"}} → answer {"text":"not saved"}
{"error":{"message":"x \\u2192 run y"}} → answer {"text":"x -> run y"}
{"status":"error","error":{}} → answer {"text":""}
`);

Deno.test("parsePanelMessage() reads answers, with their errors", () => {
  same(read, ANSWERS);
});

Deno.test("parsePanelEvent() reads events with an id, of which an answer has 256 at most", () => {
  const events = [
    { id: "e1", method: "agent.exec", params: { task_id: "c", command: "id" }, created_at: "x" },
    ...[{ id: "e2", method: "agent.nonsense" }, { id: "e3" }],
    ...[{ id: "", method: "agent.event" }, { id: 5, method: "agent.event" }, "e6", null],
  ];
  assertEquals(eventsOf(JSON.stringify({ id: 5, result: { events } })), [
    { id: "e1", message: { kind: "command", taskId: "c", command: "id" } },
    { id: "e2", message: { kind: "unknown", method: '"agent.nonsense"' } },
    { id: "e3", message: { kind: "invalid", reason: "an event without a name" } },
  ]);
  const params = { ping_task_id: 1, ping_type: "tcp", ping_target: "192.0.2.1:80" };
  const all = Array.from({ length: 900 }, (_, n) => ({ id: `${n}`, method: "agent.ping", params }));
  const most = eventsOf(JSON.stringify({ id: 1, result: { events: all } }));
  assertEquals([most.length, most.at(-1)?.id, most.at(-1)?.message.kind], [256, "255", "probe"]);
});

Deno.test("parsePanelMessage() says why a message is invalid", () => {
  const inherited = '{"__proto__":{"method":"agent.exec","task_id":"c","command":"id"}}';
  const ids = ["0", "-1", "1.5", "1e300", '"1"', "null"];
  const taskIds = ["1", '""', `"${x(201)}"`];
  const rows = cases(`
<html> → ${JSON.stringify('not JSON: "<html>"')}
[] → "not an object"
{} → "an unknown shape"
{"message":{"a":1}} → "an unknown shape"
${inherited} → "an unknown shape"
agent.exec ${inherited} → "a command without an id"
agent.ping null → "a probe without an id"
${ids.map((id) => `agent.ping {"ping_task_id":${id}} → "a probe without an id"`).join("\n")}
agent.ping {${PROBE},"ping_target":"${x(2049)}"} → "a probe without a target"
${taskIds.map((id) => `agent.exec {"task_id":${id}} → "a command without an id"`).join("\n")}
agent.exec {"task_id":"c","command":["id"]} → "a command without a text"
agent.file {"request_id":""} → "a file request without an id"
agent.file {"request_id":5} → "a file request without an id"
agent.file {"request_id":"a\\u2192b"} → "a file request without an id"
agent.terminal.request {"request_id":""} → "a terminal request without an id"
agent.terminal.request {"request_id":5} → "a terminal request without an id"
agent.startupConfig {} → "a request for the configuration without an id"
agent.switchVersion {"version":"${x(101)}"} → "a switch of versions without a version"
agent.switchVersion {"version":2} → "a switch of versions without a version"
agent.message [${"{},".repeat(10_000)}{}] → "too many values"
agent.message ["a\\\\",${"{},".repeat(10_000)}{}] → "too many values"
`);
  same((words) => read(words).replace(/^invalid /, ""), rows);
  assertEquals(parsePanelMessage("").kind, "invalid");
  assertEquals(parsePanelMessage("null"), { kind: "invalid", reason: "not an object" });
  assert(read(`agent.ping {"ping_task_id":7,"ping_type":"${x(9_000)}"}`).length < 120);
});

Deno.test("parsePanelMessage() handles deep nesting", () => {
  const depth = 100_000;
  const deep = "[".repeat(depth) + "]".repeat(depth);
  for (const place of ["params", "error", "result", "id", "message"]) {
    assert(parsePanelMessage(`{"method":"agent.event","${place}":${deep}}`).kind !== "answer");
    assert(parsePanelMessage(`{"${place}":${deep}}`).kind !== "notice");
  }
  // This name makes the engine write recursively.
  const accepted = "[".repeat(4900) + "]".repeat(4900);
  const notice = `{"method":"agent.event","params":{"toJSON":0,"x":${accepted}}}`;
  assertEquals(parsePanelMessage(notice).kind, "notice");
  const answers = '{"id":"e","result":{"events":['.repeat(700) + "]}}".repeat(700);
  assertEquals(parsePanelMessage(answers).kind, "answer");
  const message = { kind: "invalid", reason: "an event without a name" } as const;
  assertEquals(eventsOf(answers), [{ id: "e", message }]);
});

/** Asserts that nothing of a message is longer than it may be; adds its kind, and those of its events. */
function assertBounded(message: PanelMessage, kinds: Set<string>): void {
  kinds.add(message.kind);
  switch (message.kind) {
    case "invalid":
      return assertLessOrEqual(message.reason.length, 300);
    case "notice":
      return assertLessOrEqual(message.text.length, 200);
    case "command":
      assertLessOrEqual(message.taskId.length, 200);
      return assertLessOrEqual(message.command.length, 2 ** 22);
    case "terminal":
      return assertLessOrEqual(message.requestId.length, 200);
    case "probe":
      assert(Number.isSafeInteger(message.probe.id) && message.probe.id > 0);
      return assertLessOrEqual(message.probe.target.length, 2048);
    case "answer":
      assertLessOrEqual(message.error?.text.length ?? 0, 200);
  }
}

/** Messages that look right here and there. */
function likely(): fc.Arbitrary<unknown> {
  const words = fc.constantFrom("icmp", "tcp", "http", "__proto__", "");
  const odd = fc.oneof(
    fc.jsonValue(),
    fc.string({ maxLength: 5000, size: "max" }),
    fc.integer(),
    words,
  );
  const some = <T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
    fc.record(shape, { requiredKeys: [] });
  const methods = "ping exec terminal.request message event".split(" ").map((it) => `agent.${it}`);
  const method = fc.oneof(fc.constantFrom(...methods, "constructor"), odd);
  const names = ["ping_task_id", "ping_type", "ping_target", "task_id", "command", "request_id"];
  const fields = some(Object.fromEntries(names.map((name) => [name, odd])));
  const call = some({ id: odd, method, params: fc.oneof(fields, odd) });
  const error = fc.oneof(fc.record({ code: odd, message: odd, data: odd }), odd);
  const result = fc.oneof(fc.record({ events: fc.oneof(fc.array(call), odd) }), odd);
  const older = fc.tuple(fields, fc.constantFrom("ping", "exec", "terminal", "odd"))
    .map(([rest, message]) => ({ message, ...rest }));
  return fc.oneof(call, some({ id: odd, error, result }), older, odd);
}

Deno.test("parsePanelMessage() never throws, and bounds its result", () => {
  const kinds = new Set<string>();
  fc.assert(fc.property(fc.string(), (text) => assertBounded(parsePanelMessage(text), kinds)));
  fc.assert(fc.property(fc.json(), (text) => assertBounded(parsePanelMessage(text), kinds)));
  const numRuns = 1000;
  fc.assert(
    fc.property(likely(), (message) => {
      assertBounded(parsePanelMessage(JSON.stringify(message) ?? ""), kinds);
      for (const { id, message: inner } of eventsOf(JSON.stringify(message) ?? "")) {
        assertLessOrEqual(id.length, 200);
        assertBounded(inner, kinds);
        kinds.add(`event: ${inner.kind}`);
      }
    }),
    { numRuns },
  );
  for (const kind of ["invalid", "unknown", "notice", "answer", "event: invalid"]) {
    assert(kinds.has(kind), `no ${kind}`);
  }
});
