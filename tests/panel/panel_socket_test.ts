import { assertEquals, assertRejects } from "@std/assert";
import { Acknowledgements } from "../../lib/panel/acknowledgements.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { PanelSocket } from "../../lib/panel/panel_socket.ts";
import { toWireProbeResult, toWireReport } from "../../lib/panel/protocol.ts";
import { FakeTime } from "../fake_time.ts";
import { countedSignal } from "./counted_signal.ts";
import { FakeReceiver } from "./fake_receiver.ts";
import { FakeSocket, settle } from "./fake_socket.ts";
import { testsWith } from "../tests_with.ts";

const REPORT = toWireReport({ failures: [] });
const RESULT = toWireProbeResult({ taskId: 7, kind: "icmp", valueMs: 12, finishedAt: new Date(0) });
const never = new AbortController().signal;
const WITHIN = { timeoutMs: 10_000, signal: never };

/** A PanelSocket on a fake time, of which nothing may be left at the end. */
function openLive(version: 1 | 2) {
  const time = new FakeTime({ now: 1_000_000 });
  const socket = new FakeSocket();
  const receiver = new FakeReceiver();
  const acknowledgements = new Acknowledgements();
  const live = new PanelSocket(socket, { version, receiver, acknowledgements });
  const running = live.run();
  return {
    ...{ time, socket, live, receiver, messages: receiver.messages, acknowledgements, running },
    /** Calls a method, by default that of a report. */
    call: (method = "agent.report", options: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
      live.call({ method, params: {}, ...WITHIN, ...options }),
    async [Symbol.asyncDispose](): Promise<void> {
      using _ = time;
      socket.end("the server closed the connection");
      await running;
      assertEquals(time.timers, 0, "no timer is left");
    },
  };
}

const byV1 = testsWith(() => openLive(1));
const byV2 = testsWith(() => openLive(2));

byV2.test("PanelSocket.sendReport() calls agent.report over version 2", async ({ socket, live }) => {
  const sending = live.sendReport(REPORT, WITHIN.timeoutMs);
  const [call] = socket.calls;
  assertEquals([call?.method, call?.params], ["agent.report", { report: REPORT }]);
  socket.say({ id: call?.id, result: { status: "success" } });
  await sending;
  assertEquals(socket.pings, 0);
  assertEquals([live.end === "timed out", live.closeReason], [false, ""]);
});

Deno.test("PanelSocket.end tells a connection that a plugin has refused from one that was replaced", async () => {
  const ends = [[1008, "refused"], [1012, "close frame"], [undefined, "closed"]] as const;
  for (const [code, end] of ends) {
    await using bench = openLive(2);
    const { socket, live } = bench;
    socket.closeFrame = code && { code, reason: "service restart" };
    const words = "the panel closed the connection: 1012 service restart";
    if (code === 1012) assertEquals(live.closeReason, words);
    assertEquals(live.end, end);
  }
});

byV2.test("PanelSocket.call() fails with the code by which the panel closes the connection", async ({ socket, live }) => {
  const request = { method: "agent.taskResult", params: {}, ...WITHIN };
  const calling = assertRejects(() => live.call(request), PanelError);
  socket.closeFrame = { code: 1009, reason: "too long" };
  socket.end("the server closed the connection: 1009 too long");
  const { closeCode, message } = await calling;
  assertEquals(closeCode, 1009);
  assertEquals(message.includes("too long"), true, message);
});

byV2.test("PanelSocket.sendReport() closes a connection without an answer, over version 2", async ({ time, socket, live, running }) => {
  const sending = assertRejects(() => live.sendReport(REPORT, WITHIN.timeoutMs), PanelError);
  await time.run(9_999);
  assertEquals(live.end === "timed out", false);
  await time.run(1);
  assertEquals((await sending).failure, "timeout");
  await running;
  assertEquals([live.end === "timed out", live.closeReason], [true, "no answer within 10 s"]);
  assertEquals(socket.closeReason, "it was closed here");
});

Deno.test("PanelSocket.sendReport() leaves the timer to the next report once one was answered", async () => {
  for (const next of ["sendReport", "notifyReport"] as const) {
    await using bench = openLive(2);
    const { time, socket, live, running } = bench;
    const first = live.sendReport(REPORT, WITHIN.timeoutMs);
    assertEquals(time.timers, 1);
    socket.say({ id: 1, result: {} });
    await first;
    const late = assertRejects(() => live.sendReport(REPORT, WITHIN.timeoutMs), PanelError);
    await time.run(3_000);
    assertEquals(time.timers, 0);
    live[next](REPORT, WITHIN.timeoutMs)?.catch(() => {});
    assertEquals(time.timers, 1);
    await time.run(6_999);
    assertEquals(live.end, "closed");
    await time.run(1);
    assertEquals([(await late).failure, live.end], ["timeout", "timed out"]);
    await running;
  }
});

byV2.test("PanelSocket.sendReport() keeps a connection whose panel refuses the report", async ({ socket, live }) => {
  const sending = assertRejects(() => live.sendReport(REPORT, WITHIN.timeoutMs), PanelError);
  socket.say({ id: 1, error: { code: -32000, message: "not saved" } });
  assertEquals((await sending).failure, "rejected");
  assertEquals([live.end === "timed out", socket.closeReason], [false, ""]);
});

byV1.test("PanelSocket.sendReport() sends the bare report and a ping over version 1", async ({ time, socket, live }) => {
  const sentAtMs: number[] = [];
  for (let n = 0; n < 5; n++) {
    await live.sendReport(REPORT, WITHIN.timeoutMs);
    sentAtMs.push(performance.now());
    assertEquals(time.timers, 1);
    socket.lastReceivedAtMs = performance.now();
    await time.run(3_000);
  }
  assertEquals(socket.sent, Array(5).fill(JSON.stringify(REPORT)));
  assertEquals(socket.pings, 5);
  assertEquals(live.end === "timed out", false);
});

byV2.test("PanelSocket.keepAlive() pings every 15 s, and takes a pong that is missing for 10 s for a dead link", async ({ time, socket, live, running }) => {
  live.keepAlive();
  live.keepAlive();
  for (let n = 1; n <= 4; n++) {
    await time.run(15_000);
    assertEquals(socket.pings, n);
    await time.run(0);
    socket.lastReceivedAtMs = performance.now();
  }
  await time.run(15_000 + 9_999);
  assertEquals([socket.pings, live.closeReason], [5, ""]);
  await time.run(1);
  await running;
  assertEquals([live.end, live.closeReason], ["timed out", "no answer within 10 s"]);
  live.keepAlive();
});

byV1.test("PanelSocket.sendReport() accepts a pong that comes before the ping's promise settles", async ({ time, socket, live }) => {
  socket.ping = async () => {
    socket.lastReceivedAtMs = performance.now();
    await time.run(5);
  };
  await live.sendReport(REPORT, WITHIN.timeoutMs);
  await time.run(4_000);
  assertEquals([live.end === "timed out", socket.closeReason], [false, ""]);
});

Deno.test("PanelSocket.sendReport() closes a connection without a pong, over version 1", async () => {
  for (const stuck of [false, true]) {
    await using bench = openLive(1);
    const { time, socket, live, running } = bench;
    socket.say({ message: "ping" });
    await time.run(1);
    socket.stuck = stuck;
    const sending = live.sendReport(REPORT, WITHIN.timeoutMs).catch(() => {});
    await time.run(9_999);
    assertEquals(live.end === "timed out", false);
    await time.run(1);
    assertEquals(live.end === "timed out", true);
    await Promise.all([running, sending]);
  }
});

byV1.test("PanelSocket.sendProbeResult() sends the bare result over version 1", async ({ socket, live }) => {
  await live.sendProbeResult(RESULT);
  assertEquals(socket.sent, [JSON.stringify({ type: "ping_result", ...RESULT })]);
});

byV2.test("PanelSocket reads on slowly when there are too many messages, and waits for answers behind them", async ({ time, socket, live, messages }) => {
  const notice = { method: "agent.message", params: "hello" };
  const sending = live.sendReport(REPORT, WITHIN.timeoutMs).catch((error) => error);
  for (let n = 0; n < 1400; n++) socket.say(notice);
  socket.say({ id: socket.calls[0]?.id, result: {} });
  await settle();
  await time.run(1);
  assertEquals(messages.length, 1000);
  await time.run(5_000);
  assertEquals([messages.length > 1200, messages.length < 1300], [true, true]);
  await time.run(6_000);
  await sending;
  assertEquals([messages.length, live.end, socket.closeReason], [1400, "closed", ""]);
});

byV2.test("PanelSocket keeps a connection whose panel stays within the limit after it was above", async ({ time, socket, live, messages }) => {
  for (let n = 0; n < 1_001; n++) socket.say({ method: "agent.message", params: n });
  await time.run(1_100);
  for (let n = 0; n < 600; n++) {
    socket.say({ method: "agent.message", params: n });
    if (n % 10 === 9) await time.run(210);
  }
  assertEquals([messages.length, live.end], [1_601, "closed"]);
  assertEquals(socket.closeReason, "");
});

byV1.test("PanelSocket passes on answers of version 1, which are about what the panel refuses", async ({ socket, messages }) => {
  socket.say({ id: 1, error: { message: "no such probe" } });
  await settle();
  assertEquals(messages, [{ kind: "answer", id: 1, error: { text: "no such probe" } }]);
});

byV1.test("PanelSocket.sendReport() takes a pong of the same millisecond for an answer", async ({ time, socket, live }) => {
  await live.sendReport(REPORT, WITHIN.timeoutMs);
  socket.lastReceivedAtMs = performance.now();
  await time.run(10_000);
  assertEquals([live.end, socket.closeReason], ["closed", ""]);
});

byV2.test("PanelSocket counts no answers that it has asked for", async ({ socket, live, receiver }) => {
  for (let n = 0; n < 2000; n++) {
    const sending = live.sendReport(REPORT, WITHIN.timeoutMs);
    socket.say({ id: JSON.parse(socket.sent.at(-1) ?? "").id, result: {} });
    await sending;
  }
  assertEquals(receiver.limit.isExceeded, false);
});

byV2.test("PanelSocket counts an answer that comes again and again", async ({ time, socket, live, receiver }) => {
  const sending = live.sendReport(REPORT, WITHIN.timeoutMs);
  for (let n = 0; n < 1_100; n++) socket.say({ id: 1, result: {} });
  await sending;
  await time.run(1);
  assertEquals(receiver.limit.isExceeded, true);
});

byV2.test("PanelSocket.sendReport() carries acknowledgements until a report was answered", async ({ socket, live, acknowledgements }) => {
  acknowledgements.add([{ id: "e", message: { kind: "notice", text: "" } }]);
  const first = live.sendReport(REPORT, WITHIN.timeoutMs);
  const second = live.sendReport(REPORT, WITHIN.timeoutMs);
  assertEquals(socket.calls.length, 2);
  for (const { id, params } of socket.calls) {
    assertEquals(params, { report: REPORT, ack_event_ids: ["e"] });
    socket.say({ id, result: { status: "success" } });
  }
  await Promise.all([first, second]);
  const third = live.sendReport(REPORT, WITHIN.timeoutMs);
  const last = socket.calls.at(-1);
  assertEquals(last?.params, { report: REPORT });
  socket.say({ id: last?.id, result: {} });
  await third;
});

byV2.test("PanelSocket.call() matches answers by id, in any order", async ({ socket, call, messages }) => {
  const ended: number[] = [];
  const calls = [1, 2, 3].map((n) => call().then(() => ended.push(n)));
  assertEquals(socket.calls.map(({ id }) => id), [1, 2, 3]);
  for (const id of [3, 1, 2]) {
    socket.say({ jsonrpc: "2.0", id, result: {} });
    await settle();
  }
  await Promise.all(calls);
  assertEquals(ended, [3, 1, 2]);
  assertEquals(messages, []);
});

byV2.test("PanelSocket.call() throws the panel's error", async ({ socket, call }) => {
  const refused = assertRejects(() => call(), PanelError);
  socket.say({ id: 1, error: { code: -32000, message: "not saved", data: "out of range" } });
  const { failure, code, message } = await refused;
  assertEquals([failure, code], ["rejected", -32000]);
  assertEquals(
    message,
    'Cannot send agent.report by WebSocket: the panel answered "not saved, out of range"',
  );
});

for (const stuck of [false, true]) {
  const how = stuck ? "could not be written" : "was written";
  byV2.test(`PanelSocket.call() times out when the message ${how}`, async ({ time, socket, call }) => {
    socket.stuck = stuck;
    const late = assertRejects(() => call(), PanelError, "no answer within 10 s");
    await time.run(10_000);
    assertEquals((await late).failure, "timeout");
    socket.say({ id: 1, result: {} });
    await settle();
  });

  byV2.test(`PanelSocket.call() fails at once when the connection ends, and after that, when the message ${how}`, async ({ socket, call }) => {
    socket.stuck = stuck;
    const calls = [call(), call()].map((promise) => assertRejects(() => promise, PanelError));
    socket.end("the server closed the connection");
    for (const { failure, message } of await Promise.all(calls)) {
      assertEquals(failure, "unreachable");
      assertEquals(
        message,
        "Cannot send agent.report by WebSocket: the server closed the connection",
      );
    }
    await settle();
    assertEquals((await assertRejects(() => call(), PanelError)).failure, "unreachable");
  });
}

byV2.test("PanelSocket.call() ends with a signal of its own, and leaves the other calls alone", async ({ socket, call }) => {
  const own = new AbortController();
  const first = call();
  const second = call("agent.pingResult", { signal: own.signal });
  own.abort(new Error("no longer wanted"));
  await assertRejects(() => second, Error, "no longer wanted");
  await assertRejects(() => call("agent.report", { signal: own.signal }), Error, "no longer");
  assertEquals(socket.sent.length, 2);
  socket.say({ id: 1, result: {} });
  await first;
});

byV2.test("PanelSocket.call() removes its listener from the signal", async ({ socket, call }) => {
  const { signal, listeners } = countedSignal();
  const answered = call("agent.report", { signal });
  assertEquals(listeners(), 1);
  socket.say({ id: 1, result: {} });
  await answered;
  assertEquals(listeners(), 0);
});

byV2.test("PanelSocket.call() times out on time", async ({ time, socket, call }) => {
  const failures: string[] = [];
  const fails = (timeoutMs: number) =>
    call("agent.report", { timeoutMs }).catch(() =>
      failures.push(`${timeoutMs} ${performance.now()}`)
    );
  const all = [fails(10_000), fails(5_000)];
  await time.run(1_000);
  all.push(fails(20_000));
  for (let n = 0; n < 10; n++) {
    const answered = call();
    socket.say({ id: 4 + n, result: {} });
    await answered;
  }
  assertEquals(time.timers, 3, "answered calls leave no timer");
  await time.run(20_000);
  await Promise.all(all);
  assertEquals(failures, ["5000 5000", "10000 10000", "20000 21000"]);
});

byV2.test("PanelSocket.run() passes on orders, and drops answers to unknown calls", async ({ socket, call, messages }) => {
  const waiting = call();
  socket.say({ id: 2, result: {} });
  socket.say({ id: 1e308, error: { code: 1 } });
  socket.say({ id: "1", error: { code: -32700, message: "parse error" } });
  socket.say({ status: "error", error: "unreadable" });
  socket.say({ method: "agent.exec", params: { task_id: "c", command: "id" } });
  socket.say({ message: "terminal", request_id: "r" });
  socket.say(Uint8Array.of(1, 2, 3));
  socket.say("{");
  await settle();
  assertEquals(messages, [
    { kind: "answer", error: { code: -32700, text: "parse error" } },
    { kind: "answer", error: { text: "unreadable" } },
    { kind: "command", taskId: "c", command: "id" },
    { kind: "terminal", requestId: "r", resumable: false },
    { kind: "invalid", reason: 'not JSON: "{"' },
  ]);
  socket.say({ id: 1, result: {} });
  await waiting;
});

for (const version of [1, 2] as const) {
  const inVersion = testsWith(() => openLive(version));

  inVersion.test(`PanelSocket.notifyReport() expects no answer, in version ${version}`, async ({ time, socket, live }) => {
    live.notifyReport(REPORT);
    await time.run(60_000);
    const call = { jsonrpc: "2.0", method: "agent.report", params: { report: REPORT } };
    assertEquals(socket.sent, [JSON.stringify(version === 2 ? call : REPORT)]);
    assertEquals([socket.pings, socket.closeReason], [0, ""]);
    socket.end("reset");
    live.notifyReport(REPORT);
    await settle();
  });

  inVersion.test(`PanelSocket.sendReport() starts no timer for a closed connection, in version ${version}`, async ({ time, socket, live, running }) => {
    socket.end("the server closed the connection");
    await running;
    const sending = () => live.sendReport(REPORT, WITHIN.timeoutMs);
    const { failure, message } = await assertRejects(sending, PanelError);
    assertEquals(failure, "unreachable");
    assertEquals(message.endsWith(": the server closed the connection"), true, message);
    assertEquals(time.timers, 0);
  });

  inVersion.test(`PanelSocket.run() passes on orders, in version ${version}`, async ({ socket, live, messages, running }) => {
    socket.say({ message: "exec", task_id: "c", command: "id" });
    socket.say(Uint8Array.of(1));
    socket.say({ method: "agent.terminal.request", params: { request_id: "r" } });
    await settle();
    assertEquals(messages, [
      { kind: "command", taskId: "c", command: "id" },
      { kind: "terminal", requestId: "r", resumable: true },
    ]);
    live.close();
    await running;
    assertEquals([live.end === "timed out", live.closeReason], [false, "it was closed here"]);
  });

  inVersion.test(`PanelSocket closes a connection whose panel goes on sending too much, in version ${version}`, async ({ time, socket, live, messages, running }) => {
    for (let n = 0; n < 5000; n++) socket.say({ method: "agent.message", params: "hello" });
    await time.run(9_000);
    assertEquals(socket.closeReason, "");
    await time.run(3_000);
    await running;
    assertEquals([live.end, live.closeReason], ["flooded", "the panel sends too many messages"]);
    assertEquals([messages.length > 1300, messages.length < 1700], [true, true]);
  });
}
