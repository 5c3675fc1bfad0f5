import { assertEquals, assertRejects } from "@std/assert";
import { Acknowledgements } from "../../lib/panel/acknowledgements.ts";
import { PanelSocket } from "../../lib/panel/panel_socket.ts";
import { toWireProbeResult, toWireReport } from "../../lib/panel/protocol.ts";
import { FakeTime } from "../fake_time.ts";
import { testsWith } from "../tests_with.ts";
import { countedSignal } from "./counted_signal.ts";
import { FakeReceiver } from "./fake_receiver.ts";
import { FakeSocket, settle } from "./fake_socket.ts";
import { type ScriptWords, testScripts } from "./scripts.ts";

const REPORT = toWireReport({ failures: [] });
const RESULT = toWireProbeResult({ taskId: 7, kind: "icmp", valueMs: 12, finishedAt: new Date(0) });
const NOTICE = { method: "agent.message", params: "hello" };
const ERROR = { code: -32000, message: "not saved", data: "out of range" };

/** A PanelSocket on a fake time, of which nothing may be left at the end. */
class Bench implements AsyncDisposable {
  readonly time = new FakeTime({ now: 1_000_000 });
  readonly socket = new FakeSocket();
  readonly receiver = new FakeReceiver();
  readonly acknowledgements = new Acknowledgements();
  readonly live: PanelSocket;
  readonly running: Promise<void>;
  /** How each report and each call has ended. */
  readonly ends: string[] = [];

  constructor(version: 1 | 2) {
    const { receiver, acknowledgements } = this;
    this.live = new PanelSocket(this.socket, { version, receiver, acknowledgements });
    this.running = this.live.run();
  }

  call(timeoutMs = 10_000, signal = new AbortController().signal): Promise<void> {
    return this.live.call({ method: "agent.report", params: {}, timeoutMs, signal });
  }

  /** Keeps how a report or a call ends. */
  keep(pending: Promise<void>): void {
    const index = this.ends.push("pending") - 1;
    pending.then(() => this.ends[index] = "answered", ({ failure, code, closeCode, message }) => {
      const codes = [code, closeCode].filter((it) => it !== undefined);
      this.ends[index] = [failure, ...codes, message].join(" ");
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using time = this.time;
    this.socket.end("the server closed the connection");
    await this.running;
    assertEquals(time.timers, 0, "no timer is left");
  }
}

const words: ScriptWords<Bench> = {
  steps: {
    report: (bench) => bench.keep(bench.live.sendReport(REPORT, 10_000)),
    notify: ({ live }) => live.notifyReport(REPORT),
    call: (bench, timeout) => bench.keep(bench.call(Number(timeout || 10) * 1000)),
    keep: ({ live }) => live.keepAlive(),
    /** The panel answers a call, by default the last one. */
    answer: ({ socket, ends }, id) => {
      socket.say({ id: Number(id || ends.length), result: {} });
      return settle();
    },
    refuse: ({ socket }) => (socket.say({ id: 1, error: ERROR }), settle()),
    notices({ socket }, count) {
      for (let n = 0; n < Number(count); n++) socket.say(NOTICE);
    },
    pong: ({ socket }) => socket.lastReceivedAtMs = performance.now(),
    stuck: ({ socket }) => socket.stuck = true,
    code: ({ socket }, code) => socket.closeFrame = { code: Number(code), reason: "restart" },
    lost: ({ socket }) => (socket.end("the server closed the connection"), settle()),
    close: ({ live }) => (live.close(), settle()),
  },
  facts: {
    end: ({ live }) => live.end,
    why: ({ live }) => live.closeReason,
    socket: ({ socket }) => socket.closeReason,
    ends: ({ ends }) => ends.join(", "),
    sent: ({ socket }) => socket.sent.length,
    read: ({ receiver }) => receiver.messages.length,
    pings: ({ socket }) => socket.pings,
    timers: ({ time }) => time.timers,
    exceeded: ({ receiver }) => receiver.limit.isExceeded,
  },
  run: ({ time }, ms) => time.run(ms),
};

const SAID = "Cannot send agent.report by WebSocket:";
const LATE = `timeout ${SAID} no answer within`;
const LOST = `unreachable ${SAID} the server closed the connection`;

/** In both versions. */
const BOTH = `
expects no answer to a notice of a report
  notify; 60 s; sent = 1; pings = 0; socket =; lost; notify
closes a connection whose panel goes on sending too much
  notices 5000; 9 s; socket =; 3 s; end = flooded; why = the panel sends too many messages; read >= 1300; read <= 1700
tells a connection that it has closed
  close; end = closed; why = it was closed here
`;
testScripts(BOTH, words, { subject: "PanelSocket of version 1", make: () => new Bench(1) });
testScripts(BOTH, words, { subject: "PanelSocket of version 2", make: () => new Bench(2) });

testScripts(
  `
sends a ping with each report, whose pong may come in the same millisecond
  (report; timers = 1; pong; 3 s)×5; 10 s; sent = 5; pings = 5; end = closed; socket =
closes a connection without a pong
  notices 1; 0.001 s; report; 9.999 s; end = closed; 0.001 s; end = timed out
closes a connection without a pong, also when the report is not written
  notices 1; 0.001 s; stuck; report; 9.999 s; end = closed; 0.001 s; end = timed out
starts no timer for a closed connection
  lost; report; 0 s; ends = unreachable Cannot send by WebSocket: the server closed the connection; timers = 0
`,
  words,
  { subject: "PanelSocket of version 1", make: () => new Bench(1) },
);

testScripts(
  `
sends no ping with a report
  report; answer; ends = answered; pings = 0; end = closed; why =
tells a connection that a plugin has refused from one that was replaced
  code 1008; end = refused; code 1012; end = close frame; why = the panel closed the connection: 1012 restart
fails calls with the code by which the panel closes the connection
  call; code 1009; lost; ends = unreachable 1009 ${SAID} the panel closed the connection: 1009 restart
closes a connection without an answer
  report; 9.999 s; end = closed; 0.001 s; ends = ${LATE} 10 s; end = timed out; why = no answer within 10 s; socket = it was closed here
leaves the timer to the next report once one was answered
  report; timers = 1; answer; report; 3 s; timers = 0; report; timers = 1; 6.999 s; end = closed; 0.001 s
  end = timed out; ends = answered, ${LATE} 10 s, unreachable ${SAID} no answer within 10 s
leaves the timer to the next notice, too
  report; answer; report; 3 s; notify; timers = 1; 6.999 s; end = closed; 0.001 s; end = timed out
keeps a connection whose panel refuses the report
  report; refuse; ends = rejected -32000 ${SAID} the panel answered "not saved, out of range"; end = closed; socket =
pings every 15 s, and takes a pong that is missing for 10 s for a dead link
  keep; keep; (15 s; 0 s; pong)×4; pings = 4; 15 s; 9.999 s; pings = 5; why =; 0.001 s; end = timed out
  why = no answer within 10 s; keep
reads on slowly when there are too many messages, and waits for answers behind them
  report; notices 1400; answer; 0.001 s; read = 1000; 5 s; read >= 1200; read <= 1300; 6 s; read = 1400
  ends = answered; end = closed; socket =
takes no answer behind too many messages for a missing one
  report; notices 2400; 10 s; end = closed; socket =
keeps a connection whose panel stays within the limit after it was above
  notices 1001; 1.1 s; (notices 10; 0.21 s)×60; read = 1601; end = closed; socket =
counts no answers that it has asked for
  (report; answer)×2000; exceeded = false
counts an answer that comes again and again
  report; (answer 1)×1100; 0.001 s; exceeded = true
matches answers by id, in any order
  call; call; call; answer 3; ends = pending, pending, answered; answer 1; ends = answered, pending, answered
  answer 2; ends = answered, answered, answered; read = 0
lets a call time out, whose answer may come later
  call; 10 s; ends = ${LATE} 10 s; answer 1; read = 0
lets a call time out that is not written
  stuck; call; 10 s; ends = ${LATE} 10 s
fails calls at once when the connection ends, and after that
  call; lost; call; 0 s; ends = ${LOST}, ${LOST}; timers = 0
fails calls that are not written at once when the connection ends
  stuck; call; lost; ends = ${LOST}
lets each call time out on time, and leaves no timer of one that was answered
  call 10; call 5; 1 s; call 20; (call; answer)×10; timers = 3; 3.999 s; timers = 3; 0.001 s; timers = 2
  4.999 s; timers = 2; 0.001 s; timers = 1; 10.999 s; timers = 1; 0.001 s; timers = 0
starts no timer for a closed connection
  lost; report; 0 s; ends = ${LOST}; timers = 0
`,
  words,
  { subject: "PanelSocket of version 2", make: () => new Bench(2) },
);

const byV1 = testsWith(() => new Bench(1));
const byV2 = testsWith(() => new Bench(2));

byV1.test("PanelSocket sends bare messages over version 1", async ({ socket, live }) => {
  await live.sendReport(REPORT, 10_000);
  live.notifyReport(REPORT);
  await live.sendProbeResult(RESULT);
  const messages = [REPORT, REPORT, { type: "ping_result", ...RESULT }];
  assertEquals(socket.sent, messages.map((message) => JSON.stringify(message)));
});

byV1.test("PanelSocket accepts a pong that comes before the ping's promise settles", async ({ time, socket, live }) => {
  socket.ping = async () => {
    socket.lastReceivedAtMs = performance.now();
    await time.run(5);
  };
  await live.sendReport(REPORT, 10_000);
  await time.run(10_000);
  assertEquals([live.end, socket.closeReason], ["closed", ""]);
});

byV2.test("PanelSocket.sendReport() carries acknowledgements until a report was answered", async ({ socket, live, acknowledgements }) => {
  acknowledgements.add([{ id: "e", message: { kind: "notice", text: "" } }]);
  live.notifyReport(REPORT);
  const sent = [1, 2].map(() => live.sendReport(REPORT, 10_000));
  for (const id of [1, 2]) socket.say({ id, result: { status: "success" } });
  await Promise.all(sent);
  const last = live.sendReport(REPORT, 10_000);
  socket.say({ id: 3, result: {} });
  await last;
  const params = [undefined, ["e"], ["e"], undefined].map((ids) => ({
    ...{ report: REPORT, ...(ids && { ack_event_ids: ids }) },
  }));
  assertEquals(socket.calls.map((call) => call.params), params);
  assertEquals(socket.calls.map(({ id, method }) => `${method} ${id}`), [
    ...["agent.report undefined", "agent.report 1", "agent.report 2", "agent.report 3"],
  ]);
});

byV2.test("PanelSocket.call() ends with a signal of its own, and leaves the other calls and no listener", async (bench) => {
  const { socket } = bench;
  const own = new AbortController();
  const { signal, listeners } = countedSignal();
  const first = bench.call(10_000, signal);
  const second = bench.call(10_000, own.signal);
  own.abort(new Error("no longer wanted"));
  await assertRejects(() => second, Error, "no longer wanted");
  await assertRejects(() => bench.call(10_000, own.signal), Error, "no longer");
  assertEquals([socket.sent.length, listeners()], [2, 1]);
  socket.say({ id: 1, result: {} });
  await first;
  assertEquals(listeners(), 0);
});

for (const version of [1, 2] as const) {
  Deno.test(`PanelSocket passes on orders, and drops answers to unknown calls, in version ${version}`, async () => {
    await using bench = new Bench(version);
    const { socket, receiver } = bench;
    socket.say({ id: 2, result: {} });
    socket.say({ id: 1, error: { message: "no such probe" } });
    socket.say({ id: "1", error: { code: -32700, message: "parse error" } });
    socket.say({ status: "error", error: "unreadable" });
    socket.say({ message: "exec", task_id: "c", command: "id" });
    socket.say({ method: "agent.terminal.request", params: { request_id: "r" } });
    socket.say(Uint8Array.of(1, 2, 3));
    socket.say("{");
    await settle();
    // Those of version 1 are about what the panel refuses.
    const answers = [
      { kind: "answer", id: 2 },
      { kind: "answer", id: 1, error: { text: "no such probe" } },
    ];
    assertEquals(receiver.messages as unknown[], [
      ...(version === 1 ? answers : []),
      { kind: "answer", error: { code: -32700, text: "parse error" } },
      { kind: "answer", error: { text: "unreadable" } },
      { kind: "command", taskId: "c", command: "id" },
      { kind: "terminal", requestId: "r", resumable: true },
      { kind: "invalid", reason: 'not JSON: "{"' },
    ]);
  });
}
