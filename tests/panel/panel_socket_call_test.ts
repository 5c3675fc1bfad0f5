import { assertEquals, assertRejects } from "@std/assert";
import { Acknowledgements } from "../../lib/panel/acknowledgements.ts";
import type { PanelMessage } from "../../lib/panel/messages.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { PanelSocket } from "../../lib/panel/panel_socket.ts";
import { FakeTime } from "../fake_time.ts";
import { countedSignal } from "./counted_signal.ts";
import { FakeReceiver } from "./fake_receiver.ts";
import { FakeSocket, settle } from "./fake_socket.ts";

interface Bench {
  readonly time: FakeTime;
  readonly socket: FakeSocket;
  readonly stop: AbortController;
  readonly messages: PanelMessage[];
  call(method?: string, options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<void>;
}

/** Runs a PanelSocket on a fake clock, and sees that nothing is left of it. */
async function withRpc(use: (bench: Bench) => Promise<void>): Promise<void> {
  using time = new FakeTime();
  const socket = new FakeSocket();
  const receiver = new FakeReceiver();
  const { messages } = receiver;
  const stop = new AbortController();
  const acknowledgements = new Acknowledgements();
  const rpc = new PanelSocket(socket, { version: 2, receiver, acknowledgements });
  const running = rpc.run();
  const call: Bench["call"] = (method = "agent.report", options = {}) =>
    rpc.call({ method, params: {}, timeoutMs: 10_000, signal: stop.signal, ...options });
  await use({ time, socket, stop, messages, call });
  socket.end("the server closed the connection");
  await running;
  assertEquals(time.timers, 0, "no timer is left");
}

/** A test with what {@linkcode withRpc} gives. */
function test(name: string, ...args: Parameters<typeof withRpc>): void {
  Deno.test(name, () => withRpc(...args));
}

test("PanelSocket.call() matches answers by id, in any order", async ({ socket, call, messages }) => {
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

test("PanelSocket.call() throws the panel's error", async ({ socket, call }) => {
  const refused = assertRejects(() => call(), PanelError);
  socket.say({ id: 1, error: { code: -32000, message: "not saved", data: "out of range" } });
  const { failure, code, message } = await refused;
  assertEquals([failure, code], ["rejected", -32000]);
  assertEquals(
    message,
    'Cannot send agent.report by WebSocket: the panel answered "not saved, out of range"',
  );
});

Deno.test("PanelSocket.call() times out, also when the message can't be written", async () => {
  for (const stuck of [false, true]) {
    await withRpc(async ({ time, socket, call }) => {
      socket.stuck = stuck;
      const late = assertRejects(() => call(), PanelError, "no answer within 10 s");
      await time.run(10_000);
      assertEquals((await late).failure, "timeout");
      socket.say({ id: 1, result: {} });
      await settle();
    });
  }
});

test("PanelSocket.call() throws the signal's reason when it aborts", async ({ socket, call, stop }) => {
  const first = call();
  stop.abort(new Error("told to stop"));
  await assertRejects(() => first, Error, "told to stop");
  await assertRejects(() => call(), Error, "told to stop");
  assertEquals(socket.sent.length, 1);
});

test("PanelSocket.call() ends with a signal of its own, and leaves the other calls alone", async ({ socket, call }) => {
  const own = new AbortController();
  const first = call();
  const second = call("agent.pingResult", { signal: own.signal });
  own.abort(new Error("no longer wanted"));
  await assertRejects(() => second, Error, "no longer wanted");
  socket.say({ id: 1, result: {} });
  await first;
});

test("PanelSocket.call() removes its listener from the signal", async ({ socket, call }) => {
  const { signal, listeners } = countedSignal();
  const answered = call("agent.report", { signal });
  assertEquals(listeners(), 1);
  socket.say({ id: 1, result: {} });
  await answered;
  assertEquals(listeners(), 0);
});

test("PanelSocket.call() times out on time", async ({ time, socket, call }) => {
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

Deno.test("PanelSocket.call() fails at once when the connection ends, and after that", async () => {
  for (const stuck of [false, true]) {
    await withRpc(async ({ socket, call }) => {
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
});

test("PanelSocket.run() passes on orders, and drops answers to unknown calls", async ({ socket, call, messages }) => {
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
