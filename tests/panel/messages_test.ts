import { assert, assertEquals, assertLessOrEqual, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { EventSplitter } from "../../lib/panel/event_splitter.ts";
import {
  type PanelEvent,
  type PanelMessage,
  parsePanelEvent,
  parsePanelMessage,
} from "../../lib/panel/messages.ts";
import { same } from "../cases.ts";

const LIMIT_BYTES = 64 * 1024;
const x = (count: number) => "x".repeat(count);

/** The events of an answer. */
function eventsOf(text: string): PanelEvent[] {
  const splitter = new EventSplitter(LIMIT_BYTES);
  splitter.add(new TextEncoder().encode(text));
  return splitter.events.flatMap((event) => parsePanelEvent(event, LIMIT_BYTES) ?? []);
}

function read(message: unknown): PanelMessage {
  return parsePanelMessage(JSON.stringify(message));
}

function order(method: string, params: unknown): PanelMessage {
  return read({ jsonrpc: "2.0", method, params });
}

const PROBE = { ping_task_id: 7, ping_type: "tcp", ping_target: "host:443" };
const FILE = { request_id: "f-1", op: "list", args: { path: "/" } };
const probe = (more: object = {}) =>
  ({ kind: "probe", probe: { id: 7, kind: "tcp", target: "host:443", ...more } }) as PanelMessage;
const command = (taskId: string, command: string) =>
  ({ kind: "command", taskId, command }) as const;
const file = (more: object = {}) =>
  ({ kind: "file", requestId: "f-1", op: "list", args: { path: "/" }, ...more }) as PanelMessage;
const notice = (text: string) => ({ kind: "notice", text }) as const;
const invalid = (reason: string) => ({ kind: "invalid", reason }) as const;
const unknown = (method: string) => ({ kind: "unknown", method }) as const;
const version = (version: string) => ({ kind: "switch version", version }) as const;

Deno.test("parsePanelMessage() reads orders of both versions", () => {
  const both: [method: string, older: string, params: object, expected: unknown][] = [
    ["agent.ping", "ping", PROBE, probe()],
    ["agent.ping", "ping", { ...PROBE, ping_target: x(2048) }, probe({ target: x(2048) })],
    ["agent.exec", "exec", { task_id: "c-1", command: "id" }, command("c-1", "id")],
    ["agent.exec", "exec", { task_id: x(200), command: "" }, command(x(200), "")],
  ];
  for (const [method, older, params, expected] of both) {
    assertEquals(order(method, params), expected);
    assertEquals(read({ message: older, ...params }), expected);
  }
  const terminal = { kind: "terminal", requestId: "r-1" } as const;
  const named = { request_id: "r-1" };
  assertEquals(order("agent.terminal.request", named), { ...terminal, resumable: true });
  assertEquals(read({ message: "terminal", ...named }), { ...terminal, resumable: false });
});

Deno.test("parsePanelMessage() reads commands up to 4 MiB, and names the size of longer ones", () => {
  const limitBytes = 4 * 1024 * 1024;
  const longest = `${x(limitBytes - 3)}€`;
  assertEquals(order("agent.exec", { task_id: "c", command: longest }), command("c", longest));
  const tooLong = { kind: "too long", method: "agent.exec", orderId: "c", limitBytes } as const;
  const read = order("agent.exec", { task_id: "c", command: `${longest}!` });
  assertEquals(read, { ...tooLong, lengthBytes: limitBytes + 1 });
});

Deno.test("parsePanelMessage() reads the other orders, whatever is in them", async () => {
  const noVersion = invalid("a switch of versions without a version");
  const noConfig = invalid("a request for the configuration without an id");
  await same(([method, params]) => order(method, params), [
    [["agent.startupConfig", { request_id: "s-1" }], { kind: "startup config", requestId: "s-1" }],
    [["agent.startupConfig", {}], noConfig],
    [["agent.switchVersion", { version: "1.2.*" }], version("1.2.*")],
    [["agent.switchVersion", { version: x(100) }], version(x(100))],
    [["agent.switchVersion", { version: x(101) }], noVersion],
    [["agent.switchVersion", { version: 2 }], noVersion],
    [["agent.file", { uuid: "u", ...FILE }], file()],
    ...[null, [], "x", 1].map((args) => [["agent.file", { ...FILE, args }], file({ args: {} })]),
    // It is answered, as an operation that nobody knows.
    [["agent.file", { ...FILE, op: 1 }], file({ op: "" })],
    [["agent.file", { ...FILE, request_id: 5 }], invalid("a file request without an id")],
    [["agent.message", { text: "hello" }], notice('{"text":"hello"}')],
    [["agent.event", "hello"], notice('"hello"')],
    [["agent.event", [1, null]], notice("[1,null]")],
    [["agent.event", undefined], notice("nothing")],
    [["agent.message", x(100_000)], notice(`"${x(198)}…`)],
    [["agent.ping", { ...PROBE, ping_type: "dual" }], probe({ kind: "dual" })],
    [["agent.ping", { ...PROBE, ping_type: "auto" }], probe({ kind: "auto" })],
    [["agent.ping", { ...PROBE, ping_reference: " gate " }], probe({ reference: "gate" })],
    ...["", " ", null, 5, x(3000)].map((
      it,
    ) => [["agent.ping", { ...PROBE, ping_reference: it }], probe()]),
    // Those of other panels.
    [["agent.remote.request", {}], unknown('"agent.remote.request"')],
    [["agent.ping", { ...PROBE, ping_type: "udp" }], unknown('"agent.ping" of type "udp"')],
    [["agent.ping", { ...PROBE, ping_type: undefined }], unknown('"agent.ping" of type nothing')],
    ...["__proto__", "constructor", "toString", "hasOwnProperty"].map((
      it,
    ) => [[it, {}], unknown(`"${it}"`)]),
  ] as [[string, unknown], unknown][]);
});

Deno.test("parsePanelMessage() reads answers, with their errors and their events", async () => {
  const answer = (more: object = {}) => ({ kind: "answer", ...more });
  const [message, text] = ["not saved", "not saved"];
  await same(read, [
    [{ jsonrpc: "2.0", id: 3, result: { status: "success" } }, answer({ id: 3 })],
    [{ id: 3, result: null }, answer({ id: 3 })],
    [{ id: 3 }, answer({ id: 3 })],
    [{ id: 3, error: { message, data: "" } }, answer({ id: 3, error: { text } })],
    [
      { id: 4, error: { code: -1, message, data: "x" } },
      answer({ id: 4, error: { code: -1, text: `${text}, x` } }),
    ],
    [{ id: null, error: { code: -1, message } }, answer({ error: { code: -1, text } })],
    // No code of JSON-RPC.
    [{ status: "error", error: text }, answer({ error: { text } })],
    [{ error: { code: "-32000", message } }, answer({ error: { text } })],
    [{ status: "error", error: {} }, answer({ error: { text: "" } })],
    [{ message: "__proto__" }, unknown('"__proto__"')],
    [{ message: "ping", ...PROBE, ping_type: "udp" }, unknown('"agent.ping" of type "udp"')],
  ]);
  const events = [
    { id: "e1", method: "agent.exec", params: { task_id: "c", command: "id" }, created_at: "x" },
    ...[{ id: "e2", method: "agent.nonsense" }, { id: "e3" }],
    ...[{ id: "", method: "agent.event" }, { id: 5, method: "agent.event" }, "e6", null],
  ];
  assertEquals(eventsOf(JSON.stringify({ id: 5, result: { events } })), [
    { id: "e1", message: command("c", "id") },
    { id: "e2", message: unknown('"agent.nonsense"') },
    { id: "e3", message: invalid("an event without a name") },
  ]);
  const all = Array.from({ length: 900 }, (_, n) => ({ id: `${n}`, method: "agent.event" }));
  const most = eventsOf(JSON.stringify({ id: 1, result: { events: all } }));
  assertEquals([most.length, most.at(-1)?.id], [256, "255"]);
});

Deno.test("parsePanelMessage() says why a message is invalid", () => {
  const table: [PanelMessage, string][] = [
    [parsePanelMessage("<html>"), 'not JSON: "<html>"'],
    [parsePanelMessage(""), "not JSON"],
    [read([]), "not an object"],
    [read(null), "not an object"],
    [read({}), "an unknown shape"],
    [read({ message: { a: 1 } }), "an unknown shape"],
    [order("agent.ping", null), "without an id"],
    ...[0, -1, 1.5, 1e300, "1", null].map((id): [PanelMessage, string] => [
      order("agent.ping", { ...PROBE, ping_task_id: id }),
      "a probe without an id",
    ]),
    [order("agent.ping", { ...PROBE, ping_target: x(2049) }), "without a target"],
    ...[undefined, "", x(201)].map((task_id): [PanelMessage, string] => [
      order("agent.exec", { task_id, command: "id" }),
      "a command without an id",
    ]),
    [order("agent.exec", { task_id: "c", command: ["id"] }), "a command without a text"],
    [order("agent.file", { ...FILE, request_id: "" }), "a file request without an id"],
    [order("agent.terminal.request", { request_id: "" }), "a terminal request without an id"],
    [order("agent.terminal.request", { request_id: 5 }), "a terminal request without an id"],
  ];
  for (const [message, words] of table) {
    assert(message.kind === "invalid", JSON.stringify(message));
    assertStringIncludes(message.reason, words);
    assertBounded(message, new Set());
  }
  const long = order("agent.ping", { ...PROBE, ping_type: x(9_000) });
  assert(long.kind === "unknown" && long.method.length < 100);
  const inherited = '{"__proto__":{"method":"agent.exec","task_id":"c","command":"id"}}';
  for (const text of [inherited, `{"method":"agent.exec","params":${inherited}}`]) {
    assertEquals(parsePanelMessage(text).kind, "invalid");
  }
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
  const notice = parsePanelMessage(
    `{"method":"agent.event","params":{"toJSON":0,"x":${accepted}}}`,
  );
  assertEquals(notice.kind, "notice");
  const answers = '{"id":"e","result":{"events":['.repeat(700) + "]}}".repeat(700);
  assertEquals(parsePanelMessage(answers).kind, "answer");
  assertEquals(eventsOf(answers), [
    { id: "e", message: { kind: "invalid", reason: "an event without a name" } },
  ]);
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
      assertBounded(read(message), kinds);
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

Deno.test("parsePanelMessage() refuses messages with more values than real ones before it parses them", () => {
  const message = (params: string) => `{"method":"agent.message","params":${params}}`;
  const reasonOf = (text: string) => {
    const read = parsePanelMessage(text);
    return read.kind === "invalid" ? read.reason : read.kind;
  };
  const bombs = [
    `[${"{},".repeat(10_000)}{}]`,
    `[${"0,".repeat(10_000)}0]`,
    `{${'"a":0,'.repeat(10_000)}"a":0}`,
    "[".repeat(10_000) + "]".repeat(10_000),
    `["a\\\\",${"{},".repeat(10_000)}{}]`,
  ];
  for (const bomb of bombs) assertEquals(reasonOf(message(bomb)), "too many values");
  // Punctuation in strings is none of JSON.
  assertEquals(reasonOf(message(JSON.stringify('[{},:"\\"'.repeat(5000)))), "notice");
  const events = Array.from({ length: 256 }, (_, index) => ({
    id: `${index}`,
    method: "agent.ping",
    params: { ping_task_id: index + 1, ping_type: "tcp", ping_target: "192.0.2.1:80" },
    created_at: "2026-01-01T00:00:00Z",
    expires_at: "2026-01-01T00:00:03Z",
  }));
  const answer = { jsonrpc: "2.0", id: 1, result: { status: "success", events } };
  assertEquals(eventsOf(JSON.stringify(answer)).length, 256);
});

Deno.test("parsePanelMessage() counts values as the parser does", () => {
  fc.assert(fc.property(fc.json(), (json) => {
    const padded = JSON.stringify({
      method: "agent.message",
      params: { json, filler: "x".repeat(6000) },
    });
    assertEquals(parsePanelMessage(padded).kind, "notice");
  }));
});
