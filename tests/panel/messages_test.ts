import { assert, assertEquals, assertLessOrEqual, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { EventSplitter } from "../../lib/panel/event_splitter.ts";
import {
  type PanelEvent,
  type PanelMessage,
  parsePanelEvent,
  parsePanelMessage,
} from "../../lib/panel/messages.ts";

const LIMIT_BYTES = 64 * 1024;

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

Deno.test("parsePanelMessage() reads orders in both shapes", () => {
  const probe = { ping_task_id: 7, ping_type: "tcp", ping_target: "host:443" };
  const command = { task_id: "c-1", command: "uname -a" };
  const [id, target] = ["x".repeat(200), "x".repeat(2048)];
  const cases: [string, string, object, PanelMessage][] = [
    ["agent.ping", "ping", probe, {
      kind: "probe",
      probe: { id: 7, kind: "tcp", target: "host:443" },
    }],
    ["agent.exec", "exec", command, { kind: "command", taskId: "c-1", command: "uname -a" }],
    // As long as it may be, and as short.
    ["agent.ping", "ping", { ...probe, ping_target: target }, {
      kind: "probe",
      probe: { id: 7, kind: "tcp", target },
    }],
    ["agent.exec", "exec", { task_id: id, command: "" }, {
      kind: "command",
      taskId: id,
      command: "",
    }],
  ];
  for (const [method, older, params, expected] of cases) {
    assertEquals(order(method, params), expected);
    assertEquals(read({ message: older, ...params }), expected);
  }
});

Deno.test("parsePanelMessage() reads commands up to 4 MiB, and names the size of longer ones", () => {
  const limitBytes = 4 * 1024 * 1024;
  const longest = "x".repeat(limitBytes - 3) + "€";
  const command = order("agent.exec", { task_id: "c", command: longest });
  assertEquals(command, { kind: "command", taskId: "c", command: longest });
  assertEquals(order("agent.exec", { task_id: "c", command: `${longest}!` }), {
    kind: "too long",
    method: "agent.exec",
    orderId: "c",
    lengthBytes: limitBytes + 1,
    limitBytes,
  });
});

Deno.test("parsePanelMessage() reads what panels that grew from Komari send", () => {
  const update = order("agent.update", { target: "1.2.*" });
  assertEquals(update, { kind: "switch version", version: "1.2.*" });
  assertEquals(order("agent.update", {}).kind, "invalid");
  assertEquals(order("agent.update", { target: "" }).kind, "ignored", "the wish is taken back");
  assertEquals(order("agent.unlock", { report: "x" }), { kind: "ignored" });
  assertEquals(order("agent.config", { interval: 60 }), { kind: "settings" });
  assertEquals(read({ id: 1, result: { status: "success", config: { interval: 60 } } }), {
    kind: "answer",
    id: 1,
    hasSettings: true,
  });
});

Deno.test("parsePanelMessage() reads file requests, whatever is in them", () => {
  const file = { kind: "file", requestId: "f-1", op: "list", args: { path: "/" } } as const;
  const params = { uuid: "u", request_id: "f-1", op: "list", args: { path: "/" } };
  assertEquals(order("agent.file", params), file);
  for (const args of [null, [], "x", 1]) {
    assertEquals(order("agent.file", { ...params, args }), { ...file, args: {} });
  }
  // It is answered, as an operation that nobody knows.
  assertEquals(order("agent.file", { ...params, op: 1 }), { ...file, op: "" });
  assertEquals(order("agent.file", { ...params, request_id: 5 }), {
    kind: "invalid",
    reason: "a file request without an id",
  });
});

Deno.test("parsePanelMessage() reads requests for the configuration and for another version", () => {
  assertEquals(order("agent.startupConfig", { request_id: "s-1" }), {
    kind: "startup config",
    requestId: "s-1",
  });
  assertEquals(order("agent.startupConfig", {}), {
    kind: "invalid",
    reason: "a request for the configuration without an id",
  });
  assertEquals(order("agent.switchVersion", { version: "1.2.*" }), {
    kind: "switch version",
    version: "1.2.*",
  });
  for (const version of [2, "1".repeat(101)]) {
    assertEquals(order("agent.switchVersion", { version }), {
      kind: "invalid",
      reason: "a switch of versions without a version",
    });
  }
  assertEquals(order("agent.switchVersion", { version: "1".repeat(100) }).kind, "switch version");
});

Deno.test("parsePanelMessage() marks terminal requests of version 2 as resumable", () => {
  const terminal = { kind: "terminal", requestId: "r-1" } as const;
  const params = { request_id: "r-1" };
  assertEquals(order("agent.terminal.request", params), { ...terminal, resumable: true });
  assertEquals(read({ message: "terminal", ...params }), { ...terminal, resumable: false });
});

Deno.test("parsePanelMessage() formats any params of a notice, with a bounded length", () => {
  assertEquals(order("agent.message", { text: "hello" }), {
    kind: "notice",
    text: '{"text":"hello"}',
  });
  assertEquals(order("agent.event", "hello"), { kind: "notice", text: '"hello"' });
  assertEquals(order("agent.event", [1, null]), { kind: "notice", text: "[1,null]" });
  assertEquals(order("agent.event", undefined), { kind: "notice", text: "nothing" });
  const long = order("agent.message", "x".repeat(100_000));
  assertEquals(long, { kind: "notice", text: `"${"x".repeat(198)}…` });
});

Deno.test("parsePanelMessage() reads answers, with their errors and their events", () => {
  assertEquals(read({ jsonrpc: "2.0", id: 3, result: { status: "success" } }), {
    kind: "answer",
    id: 3,
  });
  assertEquals(read({ id: 3, result: null }), { kind: "answer", id: 3 });
  assertEquals(read({ id: 3 }), { kind: "answer", id: 3 });
  assertEquals(read({ id: 3, error: { message: "not saved", data: "" } }), {
    kind: "answer",
    id: 3,
    error: { text: "not saved" },
  });
  assertEquals(
    read({ id: 4, error: { code: -32000, message: "not saved", data: "no such column" } }),
    { kind: "answer", id: 4, error: { code: -32000, text: "not saved, no such column" } },
  );
  assertEquals(read({ id: null, error: { code: -32700, message: "parse error" } }), {
    kind: "answer",
    error: { code: -32700, text: "parse error" },
  });
  const events = [
    { id: "e1", method: "agent.exec", params: { task_id: "c", command: "id" }, created_at: "x" },
    { id: "e2", method: "agent.nonsense" },
    { id: "e3" },
    { id: "", method: "agent.event" },
    { id: 5, method: "agent.event" },
    "e6",
    null,
  ];
  assertEquals(eventsOf(JSON.stringify({ id: 5, result: { events } })), [
    { id: "e1", message: { kind: "command", taskId: "c", command: "id" } },
    { id: "e2", message: { kind: "unknown", method: '"agent.nonsense"' } },
    { id: "e3", message: { kind: "invalid", reason: "an event without a name" } },
  ]);
});

Deno.test("parsePanelMessage() gives no code of JSON-RPC to errors that have none", () => {
  const expected: PanelMessage = { kind: "answer", error: { text: "bad report" } };
  assertEquals(read({ status: "error", error: "bad report" }), expected);
  assertEquals(read({ error: { code: "-32000", message: "bad report" } }), expected);
  assertEquals(read({ status: "error", error: {} }), { kind: "answer", error: { text: "" } });
});

Deno.test("parsePanelMessage() says why a message is invalid", () => {
  const probe = { ping_task_id: 1, ping_type: "icmp", ping_target: "host" };
  const cases: [PanelMessage, string][] = [
    [parsePanelMessage("<html>"), 'not JSON: "<html>"'],
    [parsePanelMessage(""), "not JSON"],
    [read([]), "not an object"],
    [read(null), "not an object"],
    [read({}), "an unknown shape"],
    [read({ message: { a: 1 } }), "an unknown shape"],
    [order("agent.ping", null), "without an id"],
    ...[0, -1, 1.5, 1e300, "1", null].map((ping_task_id): [PanelMessage, string] => [
      order("agent.ping", { ...probe, ping_task_id }),
      "a probe without an id",
    ]),
    [order("agent.ping", { ...probe, ping_target: "x".repeat(2049) }), "without a target"],
    [order("agent.exec", { command: "id" }), "a command without an id"],
    [order("agent.exec", { task_id: "", command: "id" }), "a command without an id"],
    [order("agent.file", { request_id: "", op: "list" }), "a file request without an id"],
    [order("agent.terminal.request", { request_id: "" }), "a terminal request without an id"],
    [order("agent.exec", { task_id: "x".repeat(201), command: "id" }), "a command without an id"],
    [order("agent.exec", { task_id: "c", command: ["id"] }), "a command without a text"],
    [order("agent.terminal.request", { request_id: 5 }), "a terminal request without an id"],
  ];
  for (const [message, words] of cases) {
    assert(message.kind === "invalid", JSON.stringify(message));
    assertStringIncludes(message.reason, words);
    assertBounded(message, new Set());
  }
});

Deno.test("parsePanelMessage() reads the types and the reference of other panels' probes", () => {
  const probe = { ping_task_id: 1, ping_type: "dual", ping_target: "host" };
  const expected = { id: 1, kind: "dual", target: "host" } as const;
  assertEquals(order("agent.ping", probe), { kind: "probe", probe: expected });
  const auto = order("agent.ping", { ...probe, ping_type: "auto" });
  assertEquals(auto, { kind: "probe", probe: { ...expected, kind: "auto" } });
  assertEquals(
    order("agent.ping", { ...probe, ping_reference: " gateway " }),
    { kind: "probe", probe: { ...expected, reference: "gateway" } },
  );
  for (const ping_reference of ["", " ", null, 5, "x".repeat(3000)]) {
    const message = order("agent.ping", { ...probe, ping_reference });
    assertEquals(message, { kind: "probe", probe: expected });
  }
});

Deno.test("parsePanelMessage() does not know the orders and the probes of other panels, and says which", () => {
  const probe = { ping_task_id: 1, ping_type: "icmp", ping_target: "host" };
  const cases: [PanelMessage, string][] = [
    [order("agent.remote.request", {}), '"agent.remote.request"'],
    [order("agent.ping", { ...probe, ping_type: "udp" }), '"agent.ping" of type "udp"'],
    [read({ message: "ping", ...probe, ping_type: "udp" }), '"agent.ping" of type "udp"'],
    [order("agent.ping", { ...probe, ping_type: undefined }), '"agent.ping" of type nothing'],
  ];
  for (const [message, method] of cases) assertEquals(message, { kind: "unknown", method });
  const long = order("agent.ping", { ...probe, ping_type: "x".repeat(9_000) });
  assert(long.kind === "unknown" && long.method.length < 100);
});

Deno.test("parsePanelMessage() treats names of Object.prototype like any other", () => {
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    assertEquals(order(name, {}).kind, "unknown");
    assertEquals(read({ message: name }).kind, "unknown");
  }
  const inherited = '{"__proto__":{"method":"agent.exec","task_id":"c","command":"id"}}';
  assertEquals(parsePanelMessage(inherited).kind, "invalid");
  const hidden = `{"method":"agent.exec","params":${inherited}}`;
  assertEquals(parsePanelMessage(hidden).kind, "invalid");
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

Deno.test("parsePanelEvent() gets at most 256 events of an answer", () => {
  const all = Array.from({ length: 900 }, (_, n) => ({ id: `${n}`, method: "agent.event" }));
  const events = eventsOf(JSON.stringify({ id: 1, result: { events: all } }));
  assertEquals([events.length, events.at(-1)?.id], [256, "255"]);
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
  const odd = fc.oneof(
    fc.jsonValue(),
    fc.string({ maxLength: 5000, size: "max" }),
    fc.integer(),
    fc.constantFrom("icmp", "tcp", "http", "__proto__", ""),
  );
  const method = fc.oneof(
    fc.constantFrom(
      "agent.ping",
      "agent.exec",
      "agent.terminal.request",
      "agent.message",
      "agent.event",
      "constructor",
    ),
    odd,
  );
  const fields = fc.record({
    ping_task_id: odd,
    ping_type: odd,
    ping_target: odd,
    task_id: odd,
    command: odd,
    request_id: odd,
  }, { requiredKeys: [] });
  const call = fc.record({ id: odd, method, params: fc.oneof(fields, odd) }, { requiredKeys: [] });
  const error = fc.oneof(fc.record({ code: odd, message: odd, data: odd }), odd);
  const result = fc.oneof(fc.record({ events: fc.oneof(fc.array(call), odd) }), odd);
  const answer = fc.record({ id: odd, error, result }, { requiredKeys: [] });
  const older = fc.tuple(fields, fc.constantFrom("ping", "exec", "terminal", "odd"))
    .map(([rest, message]) => ({ message, ...rest }));
  return fc.oneof(call, answer, older, odd);
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
