import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { setUpLog } from "../../lib/log/log.ts";
import type { DialFailure } from "../../lib/panel/link_machine.ts";
import type { PanelEvent } from "../../lib/panel/messages.ts";
import type { PanelOrder } from "../../lib/panel/orders.ts";
import type { PanelConnection } from "../../lib/panel/panel_connection.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { transportName } from "../../lib/panel/transport.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { DEFAULTS, fakeConnection } from "./fake_connection.ts";
import { FakeSocket } from "./fake_socket.ts";
import { ReportingOwner } from "./reporting_owner.ts";
import { testsWith } from "../tests_with.ts";

const PROBE_RESULT = { taskId: 1, kind: "tcp", valueMs: 1, finishedAt: new Date(0) } as const;
const LOST = new PanelError("Cannot send: refused", { failure: "unreachable" });
const LATE = new PanelError("Cannot send: no answer within 5 s", { failure: "timeout" });
const UNSUPPORTED = new PanelError("Cannot send: 404", {
  failure: "unsupported protocol",
  status: 404,
});

/** A WebSocket whose panel answers each call at once, as long as it is not mute. */
class AnsweringSocket extends FakeSocket {
  /** When each message of {@linkcode sent} was sent. */
  readonly sentAtMs: number[] = [];
  /** Whether all calls are refused. */
  refusing = false;
  readonly #isMute: () => boolean;

  constructor(isMute: () => boolean) {
    super();
    this.#isMute = isMute;
  }

  override async send(message: string): Promise<void> {
    this.sentAtMs.push(Math.round(performance.now()));
    await super.send(message);
    const { id, method } = JSON.parse(message);
    const known = !this.refusing && (method === "agent.report" || method === "agent.basicInfo");
    const answer = known ? { result: { status: "success" } } : { error: { code: -32601 } };
    if (!this.#isMute() && id !== undefined) this.say({ jsonrpc: "2.0", id, ...answer });
  }

  override async ping(): Promise<void> {
    await super.ping();
    if (!this.#isMute()) this.lastReceivedAtMs = performance.now();
  }
}

interface LinkOptions {
  readonly config?: Partial<typeof DEFAULTS>;
  readonly phaseMs?: number;
}

/** A panel, and what reports to it. */
class FakePanel {
  readonly sockets: AnsweringSocket[] = [];
  readonly dials: { version: unknown; atMs: number }[] = [];
  readonly posts: { by: string; atMs: number }[] = [];
  /** How long the panel has to answer each report by POST of version 2. */
  readonly timeoutsMs: number[] = [];
  readonly transports: (string | undefined)[] = [];
  readonly log: string[] = [];
  logLevel: "info" | "debug" = "info";
  drops = 0;
  /** The intervals of the reports that were accepted. */
  readonly acceptedMs: number[] = [];
  mute = false;
  blocked: DialFailure | undefined;
  /** What the refusals of upgrades say. */
  retryAfterMs: number | undefined;
  refusedVersion: unknown;
  onRpc: () => Promise<PanelEvent[]> = () => Promise.resolve([]);
  onHttp: () => Promise<void> = () => Promise.resolve();
  onPull: (signal: AbortSignal) => Promise<PanelEvent[]> = (signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  #connection: PanelConnection | undefined;
  #owner: ReportingOwner | undefined;

  get connection(): PanelConnection {
    assert(this.#connection !== undefined);
    return this.#connection;
  }

  get orders(): readonly PanelOrder[] {
    return this.#owner?.orders ?? [];
  }

  /** Reports that were measured. */
  get accepted(): number {
    return this.acceptedMs.length;
  }

  get samples(): number {
    return this.#owner?.reports ?? 0;
  }

  /** How often a connection was found dead. */
  get deadConnections(): number {
    return this.#owner?.deadConnections ?? 0;
  }

  open(signal: AbortSignal, { config, phaseMs }: LinkOptions): ReportingOwner {
    setUpLog({
      level: this.logLevel,
      format: "text",
      secrets: [],
      forJournal: true,
      write: (line) => this.log.push(line),
    });
    const settings = { ...DEFAULTS, ...config };
    const connection = this.#connection = fakeConnection(settings, [{
      onAccepted: (intervalMs) => void this.acceptedMs.push(intervalMs),
      onTransport: (transport) => this.transports.push(transport && transportName(transport)),
    }]);
    const { clientV1, clientV2, opener } = connection;
    const post = (by: string) => this.posts.push({ by, atMs: Math.round(performance.now()) });
    clientV1.sendReport = clientV1.sendProbeResult = () => (post("v1 POST"), this.onHttp());
    clientV2.call = () => (post("v2 POST"), this.onRpc());
    clientV2.report = (_, { timeoutMs }) => {
      this.timeoutsMs.push(timeoutMs);
      post("v2 POST");
      return this.onRpc();
    };
    clientV2.pull = (signal) => this.onPull(signal);
    connection.closeIdle = () => this.drops++;
    opener.open = (purpose) => {
      const version = "version" in purpose ? purpose.version : purpose;
      this.dials.push({ version, atMs: Math.round(performance.now()) });
      if (this.blocked !== undefined || version === this.refusedVersion) {
        return Promise.reject(new Error("no"));
      }
      const socket = new AnsweringSocket(() => this.mute);
      this.sockets.push(socket);
      return Promise.resolve(socket);
    };
    opener.toOpenFailure = () => ({
      why: this.blocked ?? "answered",
      error: new PanelError("Cannot open a WebSocket: status 403", {
        failure: "unavailable",
        retryAfterMs: this.retryAfterMs,
      }),
    });
    return this.#owner = new ReportingOwner(connection, settings, { phaseMs, signal });
  }

  /** Whether the WebSocket that is open now refuses what it is sent. */
  set refusing(value: boolean) {
    this.socket.refusing = value;
  }

  get socket(): AnsweringSocket {
    const socket = this.sockets.at(-1);
    assert(socket !== undefined, "no WebSocket was opened");
    return socket;
  }

  /** When reports went by WebSocket. */
  sentAtMs(): number[] {
    return this.sockets.flatMap(({ sent, sentAtMs }) =>
      sentAtMs.filter((_, index) => sent[index]?.includes("cpu"))
    );
  }

  lines(words: string): string[] {
    return this.log.filter((line) => line.includes(words));
  }
}

async function live(
  panel: FakePanel,
  use: (time: FakeTime) => Promise<void>,
  options: LinkOptions = {},
): Promise<void> {
  using time = new FakeTime();
  const stop = new AbortController();
  const owner = panel.open(stop.signal, options);
  const running = owner.link.run();
  await time.run(0);
  await use(time);
  stop.abort();
  owner.close();
  await time.run(0);
  await running;
  assertEquals(time.timers, 0, "no timer is left");
}

const withPanel = testsWith(() => new FakePanel());

withPanel.test("PanelLink.run() reports at once when the WebSocket opens, then every 3 s", async (panel) => {
  await live(panel, (time) => time.run(9500));
  assertEquals(panel.sentAtMs(), [0, 3000, 6000, 9000]);
  assertEquals(panel.posts, []);
  assertEquals(panel.acceptedMs, [3000, 3000, 3000, 3000]);
  assertEquals(panel.transports, ["v2 WebSocket"]);
  assertEquals(panel.lines("First report accepted, by v2 WebSocket").length, 1);
});

withPanel.test("PanelLink.run() reports in the phase of other panels, after a first report at once", async (panel) => {
  await live(panel, (time) => time.run(2_700), { config: { intervalSeconds: 1 }, phaseMs: -400 });
  assertEquals(panel.sentAtMs(), [0, 600, 1_600, 2_600]);
});

withPanel.test("PanelLink.run() gives the report that tries POST 6 s, and the next ones as long as a call", async (panel) => {
  await live(panel, (time) => time.run(11_000), { config: { transport: "http" } });
  const [trial, ...later] = panel.timeoutsMs;
  assertEquals(trial, 6_000);
  assertEquals(later, [5_000, 5_000]);
});

Deno.test("PanelLink.run() logs each report at level debug, and only there", async () => {
  for (const [level, accepted, sent] of [["debug", 2, 5], ["info", 0, 0]] as const) {
    const panel = new FakePanel();
    panel.logLevel = level;
    await live(panel, (time) => time.run(6_500), {
      config: { intervalSeconds: 1, logLevel: level },
    });
    assertEquals(panel.lines("Report accepted by v2 WebSocket in 0 ms").length, accepted);
    assertEquals(panel.lines("Report sent by v2 WebSocket").length, sent);
  }
});

/** Times of the reports that ask for an answer, in seconds. */
function askedAtSeconds(panel: FakePanel): number[] {
  const { sent, sentAtMs } = panel.socket;
  const asking = sentAtMs.filter((_, index) => /"id":\d/.test(sent[index] ?? ""));
  return asking.map((atMs) => atMs / 1000);
}

withPanel.test("PanelLink.run() asks for an answer with each report after one that was refused", async (panel) => {
  await live(panel, async (time) => {
    await time.run(1_000);
    panel.refusing = true;
    await time.run(7_000);
    panel.refusing = false;
    await time.run(4_000);
  }, { config: { intervalSeconds: 1 } });
  assertEquals(askedAtSeconds(panel), [0, 5, 6, 7, 8, 9]);
});

Deno.test("PanelLink.run() logs that reports are refused, by either carrier", async () => {
  for (const transport of ["auto", "http"] as const) {
    const panel = new FakePanel();
    await live(panel, async (time) => {
      await time.run(1_000);
      if (transport === "auto") panel.refusing = true;
      const refusal = new PanelError("Cannot send: refused", { failure: "rejected", code: -32601 });
      panel.onRpc = () => Promise.reject(refusal);
      await time.run(5_500);
      assertEquals(panel.lines("<4>").length, 1, panel.log.join("\n"));
    }, { config: { transport } });
  }
});

timed.test("PanelLink.run() does nothing when the signal has aborted before", async () => {
  const panel = new FakePanel();
  const owner = panel.open(AbortSignal.abort(), {});
  await owner.link.run();
  assertEquals(panel.dials, []);
  owner.close();
});

timed.test("PanelLink.run() ends when the report in flight has", async (time) => {
  const panel = new FakePanel();
  const held = Promise.withResolvers<PanelEvent[]>();
  panel.onRpc = () => held.promise;
  const stop = new AbortController();
  const owner = panel.open(stop.signal, { config: { transport: "http" } });
  let hasEnded = false;
  const running = owner.link.run().then(() => hasEnded = true);
  await time.run(0);
  stop.abort();
  await time.run(100);
  assertEquals([panel.posts.length, hasEnded], [1, false]);
  held.resolve([]);
  await running;
  owner.close();
});

timed.test("PanelLink.run() leaves the WebSocket open for results when it gives up a report that is not answered", async (time) => {
  const panel = new FakePanel();
  panel.mute = true;
  const stop = new AbortController();
  const owner = panel.open(stop.signal, {});
  const running = owner.link.run();
  await time.run(100);
  stop.abort();
  panel.connection.close();
  await running;
  assertEquals([panel.socket.sent.length, panel.socket.closeReason], [1, ""]);
  owner.close();
  await time.run(0);
  assertEquals([panel.socket.closeReason, panel.lines("warning")], ["it was closed here", []]);
});

withPanel.test("PanelLink.run() aborts its pull when it ends", async (panel) => {
  const signals: AbortSignal[] = [];
  const { onPull } = panel;
  panel.onPull = (signal) => (signals.push(signal), onPull(signal));
  await live(panel, async (time) => {
    await time.run(1_000);
    assertEquals(signals.map(({ aborted }) => aborted), [false]);
  }, { config: { transport: "http" } });
  assertEquals(signals.map(({ aborted }) => aborted), [true]);
});

timed.test("PanelLink.run() closes a WebSocket that opens when the signal has aborted", async (time) => {
  const panel = new FakePanel();
  const stop = new AbortController();
  const owner = panel.open(stop.signal, {});
  const opening = Promise.withResolvers<FakeSocket>();
  panel.connection.opener.open = () => opening.promise;
  const running = owner.link.run();
  stop.abort();
  owner.close();
  await running;
  const socket = new FakeSocket();
  opening.resolve(socket);
  await time.run(0);
  assertEquals([socket.closeReason, socket.sent], ["it was closed here", []]);
});

withPanel.test("PanelLink.run() logs no outage when it ends", async (panel) => {
  await live(panel, (time) => time.run(1_000));
  assertEquals(panel.lines("warning"), []);
  assertEquals(panel.sockets.length, 1);
});

withPanel.test("PanelLink.run() logs no outage when it aborts a report", async (panel) => {
  await live(panel, async (time) => {
    await time.run(1_000);
    const { calls } = panel.connection;
    panel.onRpc = () =>
      new Promise((_, reject) => calls.addEventListener("abort", () => reject(calls.reason)));
    await time.run(5_000);
    assertEquals(panel.posts.length, 2);
  }, { config: { transport: "http" } });
  assertEquals(panel.log.length, 1, panel.log.join("\n"));
});

withPanel.test("PanelLink.run() has one timer, that of its next attempt", async (panel) => {
  panel.onHttp = () => Promise.reject(UNSUPPORTED);
  panel.onRpc = () => Promise.reject(UNSUPPORTED);
  panel.refusedVersion = 2;
  await live(panel, async (time) => {
    await time.run(1_000);
    assertEquals(panel.transports, ["v1 WebSocket"]);
    panel.blocked = "refused";
    panel.socket.end("reset");
    await time.run(0);
    assertEquals(time.timers, 1);
  });
});

withPanel.test("PanelLink.run() asks for an answer with the first report by a new WebSocket", async (panel) => {
  await live(panel, async (time) => {
    await time.run(1_500);
    panel.socket.end("reset");
    await time.run(0);
    assertEquals(panel.sockets.length, 2, "it is opened at once");
    await time.run(2_500);
    assertStringIncludes(panel.socket.sent[0] ?? "", '"id":');
  }, { config: { intervalSeconds: 1 } });
});

withPanel.test("PanelLink.run() asks for an answer as long as events are to be acknowledged", async (panel) => {
  await live(panel, async (time) => {
    await time.run(2_500);
    const event = { id: "e", message: { kind: "unknown", method: "m" } } as const;
    panel.connection.acknowledgements.add([event]);
    await time.run(2_000);
  }, { config: { intervalSeconds: 1 } });
  assertEquals(askedAtSeconds(panel), [0, 3]);
});

withPanel.test("PanelLink.run() notices within 10 s of reports each second that the WebSocket is dead", async (panel) => {
  await live(panel, async (time) => {
    await time.run(500);
    panel.mute = true;
    await time.run(10_000);
    assertEquals(panel.posts.length, 1);
  }, { config: { intervalSeconds: 1 } });
});

withPanel.test("PanelLink.run() sends by POST and dials again when reports are not answered for 5 s", async (panel) => {
  await live(panel, async (time) => {
    await time.run(1000);
    panel.mute = true;
    await time.run(6900);
    assertEquals(panel.sentAtMs(), [0, 3000, 6000], "slow answers hold up no report");
    assertEquals([panel.dials.length, panel.drops], [1, 0]);
    panel.mute = false;
    await time.run(200);
    assertEquals(panel.posts.length, 1, "5 s after the first report without an answer");
    assert(panel.drops > 0, "kept connections are not used again");
    await time.run(4000);
    assertEquals([panel.dials.length, panel.transports.at(-1)], [2, "v2 WebSocket"]);
    assertEquals(panel.lines("Reporting again after 8 s").length, 1, `${panel.log}`);
    assertEquals(panel.lines("Cannot"), [], "it is no trouble any more");
  });
});

withPanel.test("PanelLink.run() notices a dead WebSocket of version 1 within 15 s", async (panel) => {
  const config = { protocolVersion: 1, remoteControl: true, intervalSeconds: 10 } as const;
  await live(panel, async (time) => {
    await time.run(9000);
    assertEquals(panel.transports, ["v1 WebSocket"]);
    panel.mute = true;
    await time.run(5_999);
    assertEquals(panel.drops, 0);
    await time.run(1);
    assertEquals(panel.drops, 1, "calls must not wait for a connection on the same dead path");
    assertEquals(panel.deadConnections, 1, "and terminals are checked");
    await time.run(9_000);
    assertEquals(panel.dials.length > 1, true);
  }, { config });
});

withPanel.test("PanelLink.run() waits longer for answers after several that came too late", async (panel) => {
  await live(panel, async (time) => {
    await time.run(1_000);
    panel.mute = true;
    panel.onRpc = () => Promise.reject(LATE);
    await time.run(60_000);
    // Each that is closed is followed at once by a report by POST.
    const openMs = panel.posts.slice(0, 3).map(({ atMs }, index) =>
      atMs - (panel.dials[index]?.atMs ?? NaN)
    );
    assertEquals(openMs, [8_000, 10_000, 20_000]);
  });
});

Deno.test("PanelLink.run() closes idle connections when POST is answered too late, and else keeps them", async () => {
  for (const [failure, drops] of [[LATE, 1], [LOST, 0]] as const) {
    const panel = new FakePanel();
    await live(panel, async (time) => {
      await time.run(1_000);
      panel.onRpc = () => Promise.reject(failure);
      await time.run(4_000);
      assertEquals([panel.posts.length, panel.drops], [2, drops]);
      assertEquals(panel.deadConnections, drops, "terminals are checked then");
    }, { config: { transport: "http" } });
  }
});

withPanel.test("PanelLink.run() gives reports by WebSocket the interval, where that is long", async (panel) => {
  await live(panel, async (time) => {
    panel.mute = true;
    await time.run(16_001);
    assert(panel.lines("no answer within 8 s").length > 0);
  }, { config: { intervalSeconds: 8 } });
});

withPanel.test("PanelLink.run() sends by POST while the upgrade is blocked, and back, each sample once", async (panel) => {
  panel.blocked = "answered";
  await live(panel, async (time) => {
    await time.run(16_000);
    assertEquals(panel.transports, ["v2 POST"]);
    assertEquals(panel.posts.map(({ atMs }) => atMs), [0, 5000, 10_000, 15_000]);
    assertEquals(
      panel.lines("sent by POST: WebSockets are blocked: status 403").length,
      1,
      panel.log.join("\n"),
    );
    panel.blocked = undefined;
    await time.run(30_000);
    assertEquals(panel.transports, ["v2 POST", "v2 WebSocket"], "back within 30 s");
    assertEquals(panel.samples, panel.posts.length + panel.sentAtMs().length);
    assertEquals(panel.accepted, panel.samples);
    assertEquals(panel.lines("The WebSocket works again").length, 1);
  });
});

withPanel.test("PanelLink.run() leaves POST only for a WebSocket that has answered a report", async (panel) => {
  panel.blocked = "answered";
  await live(panel, async (time) => {
    await time.run(1000);
    panel.blocked = undefined;
    panel.mute = true;
    // After a minute the outage is logged again.
    await time.run(55_000);
    assertEquals(panel.transports, ["v2 POST"]);
    assertEquals(panel.sentAtMs().length, panel.sockets.length, "one report tries each");
    assertEquals(panel.samples, panel.posts.length + panel.sentAtMs().length);
    assertEquals(panel.lines("sent by POST").length, 1, panel.log.join("\n"));
    const gaps = panel.posts.slice(1).map(({ atMs }, at) => atMs - (panel.posts[at]?.atMs ?? 0));
    assertEquals(new Set(gaps), new Set([5000]));
  });
});

withPanel.test("PanelLink.run() waits as long as refusals of upgrades and reports want", async (panel) => {
  panel.blocked = "answered";
  panel.retryAfterMs = 100_000;
  const limited = { failure: "unavailable", status: 429 } as const;
  panel.onRpc = () =>
    performance.now() < 40_000
      ? Promise.reject(new PanelError("429", { ...limited, retryAfterMs: 45_000 }))
      : Promise.resolve([]);
  await live(panel, async (time) => {
    await time.pass(120_000, { stepMs: 500 });
  });
  const [tried, ...posts] = panel.posts.map(({ atMs }) => atMs);
  assertEquals(tried, 0);
  assert(posts[0] !== undefined && posts[0] >= 45_000 && posts[0] <= 46_500, `${posts[0]}`);
  const [first, ...dials] = panel.dials.map(({ atMs }) => atMs);
  assertEquals(first, 0);
  assertEquals(dials.length, 1, `${dials}`);
  assert(dials[0] !== undefined && dials[0] >= 100_000 && dials[0] <= 101_500, `${dials}`);
});

withPanel.test("PanelLink.run() finds version 1, and logs it", async (panel) => {
  panel.blocked = "answered";
  panel.onRpc = () => Promise.reject(UNSUPPORTED);
  await live(panel, async (time) => {
    await time.run(6000);
    assertEquals(panel.transports, ["v1 POST"]);
    assertEquals(panel.posts.map(({ by }) => by), ["v2 POST", "v1 POST", "v1 POST"]);
    assertEquals(panel.lines("only version 1").length, 1);
    assertEquals(panel.lines("Cannot"), [], "it is no trouble");
    panel.onHttp = () => Promise.reject(LOST);
    await time.run(8000);
    panel.onHttp = () => Promise.resolve();
    await time.run(5000);
    assertEquals(panel.dials.length > 2, true, "the newer one is tried after each loss");
    assertEquals(panel.lines("only version 1").length, 1, "said once");
  });
});

withPanel.test("PanelLink.run() pulls and handles events while reports are sent by POST", async (panel) => {
  panel.blocked = "answered";
  const order: PanelOrder = { kind: "command", taskId: "a", command: "id" };
  const pulls: AbortSignal[] = [];
  panel.onPull = (signal) => {
    if (pulls.push(signal) === 1) return Promise.resolve([{ id: "1", message: order }]);
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason))
    );
  };
  panel.onRpc = () => Promise.resolve([{ id: "2", message: { ...order, taskId: "b" } }]);
  await live(panel, async (time) => {
    await time.run(1000);
    assertEquals(panel.orders.map((it) => "taskId" in it && it.taskId), ["b", "a"]);
    assertEquals(pulls.length, 2, "one question after the other");
    panel.blocked = undefined;
    await time.run(30_000);
    assertEquals(panel.transports.at(-1), "v2 WebSocket");
    assertEquals(pulls.map(({ aborted }) => aborted), [true, true]);
  });
});

withPanel.test("PanelLink.run() sends the next report by POST when all events of an answer were read", async (panel) => {
  const message = { kind: "notice", text: "n" } as const;
  panel.onRpc = () => {
    const count = panel.posts.length === 2 ? 1_150 : 0;
    return Promise.resolve(Array.from({ length: count }, (_, id) => ({ id: `${id}`, message })));
  };
  await live(panel, async (time) => {
    await time.run(3_900);
    assertEquals(panel.posts.map(({ atMs }) => atMs), [0, 1_000]);
    await time.run(3_000);
    assert(panel.posts.length > 2);
  }, { config: { transport: "http", intervalSeconds: 1 } });
});

withPanel.test("PanelLink.run() closes the WebSocket of a panel that goes on, and stays away from it for longer each time", async (panel) => {
  await live(panel, async (time) => {
    const order =
      '{"method":"agent.ping","params":{"ping_task_id":1,"ping_type":"tcp","ping_target":"a"}}';
    const gapsMs: number[] = [];
    for (let round = 0; round < 4; round++) {
      const { length } = panel.sockets;
      for (let count = 0; count < 5000; count++) panel.socket.say(order);
      const { socket } = panel;
      while (socket.closeReason === "") await time.run(100);
      const closedAtMs = performance.now();
      while (panel.sockets.length === length) await time.run(100);
      gapsMs.push(performance.now() - closedAtMs);
      await time.run(100);
    }
    assertEquals(panel.transports.slice(0, 3), ["v2 WebSocket", undefined, "v2 POST"]);
    // At least half of 30 s, which is the longest.
    const leastMs = (index: number) => Math.min(1900 * 2 ** index, 14_900);
    assert(gapsMs.every((gapMs, index) => gapMs >= leastMs(index)), gapsMs.join(", "));
    assertEquals(panel.lines("the panel sends too many messages").length > 0, true);
  });
});

withPanel.test("PanelLink.run() is back within 12 s of the last answer when the path of all connections is dead", async (panel) => {
  await live(panel, async (time) => {
    await time.run(6000);
    panel.mute = true;
    let dropped = 0;
    panel.onRpc = () => {
      dropped = panel.drops;
      return Promise.resolve([]);
    };
    await time.run(9000 + 12_000 - 6000 - 1);
    assert(dropped > 0, "idle connections of the dead path are closed before the next call");
    const [back = Infinity] = panel.posts.map(({ atMs }) => atMs);
    assert(back <= 6000 + 12_000, `back after ${back - 6000} ms`);
  });
});

withPanel.test("PanelLink.run() logs an outage in two lines", async (panel) => {
  panel.blocked = "refused";
  await live(panel, async (time) => {
    await time.run(20_000);
    assert(panel.dials.length >= 6, "tried at least every 4 s");
    assertEquals(panel.samples, 0);
    panel.blocked = undefined;
    const before = performance.now();
    await time.run(4000);
    const [back = Infinity] = panel.sentAtMs();
    assert(back - before <= 4000);
    assertEquals(panel.log.length, 3, panel.log.join("\n"));
    assertStringIncludes(panel.log.at(-1) ?? "", "answers again");
  });
});

withPanel.test("PanelLink.run() leaves the sender to POST during an outage", async (panel) => {
  panel.blocked = "no answer";
  await live(panel, async () => {
    await panel.connection.sender.sendProbeResult(PROBE_RESULT, new AbortController().signal);
    assertEquals(panel.posts.map(({ by }) => by), ["v2 POST"]);
  });
  const older = new FakePanel();
  await live(older, async () => {
    await older.connection.sender.sendProbeResult(PROBE_RESULT, new AbortController().signal);
    assertEquals(older.posts.map(({ by }) => by), ["v1 POST", "v1 POST"]);
  }, { config: { transport: "http", protocolVersion: 1 } });
});
