import { assert, assertEquals } from "@std/assert";
import type { Config } from "../../lib/config/config.ts";
import { setUpLog } from "../../lib/log/log.ts";
import type { DialFailure } from "../../lib/panel/link_machine.ts";
import type { PanelEvent } from "../../lib/panel/messages.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { transportName } from "../../lib/panel/transport.ts";
import { FakeTime } from "../fake_time.ts";
import { DEFAULTS, fakeConnection } from "./fake_connection.ts";
import { FakeSocket } from "./fake_socket.ts";
import { ReportingOwner } from "./reporting_owner.ts";
import { testScripts } from "./scripts.ts";
import { testsWith } from "../tests_with.ts";

const PROBE_RESULT = { taskId: 1, kind: "tcp", valueMs: 1, finishedAt: new Date(0) } as const;
const FAILURES = {
  lost: new PanelError("Cannot send: refused", { failure: "unreachable" }),
  late: new PanelError("Cannot send: no answer within 5 s", { failure: "timeout" }),
  rejected: new PanelError("Cannot send: no", { failure: "rejected", code: -32601 }),
  unsupported: new PanelError("Cannot send: 404", { failure: "unsupported protocol", status: 404 }),
  limited: new PanelError("Cannot send: 429", {
    ...{ failure: "unavailable", status: 429, retryAfterMs: 45_000 },
  }),
};

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
    const isKnown = !this.refusing && (method === "agent.report" || method === "agent.basicInfo");
    const answer = isKnown ? { result: { status: "success" } } : { error: { code: -32601 } };
    if (!this.#isMute() && id !== undefined) this.say({ jsonrpc: "2.0", id, ...answer });
  }

  override async ping(): Promise<void> {
    await super.ping();
    if (!this.#isMute()) this.lastReceivedAtMs = performance.now();
  }
}

type Answer = "taken" | "held" | keyof typeof FAILURES;

/** A panel, and a link that reports to it on a fake time. */
class FakePanel implements AsyncDisposable {
  config: Partial<Config> = {};
  phaseMs: number | undefined;
  mute = false;
  blocked: DialFailure | undefined;
  /** What the refusals of upgrades say. */
  retryAfterMs: number | undefined;
  refusedVersion: unknown;
  /** What becomes of calls by POST, by version. */
  readonly answers: Record<1 | 2, Answer> = { 1: "taken", 2: "taken" };
  /** The events of the answer to a report, and to a pull, after which those to come are held. */
  events: (post: number) => PanelEvent[] | Promise<PanelEvent[]> = () => [];
  pulled: PanelEvent[] = [];
  onOpen = (): Promise<FakeSocket> => {
    const socket = new AnsweringSocket(() => this.mute);
    this.sockets.push(socket);
    return Promise.resolve(socket);
  };
  readonly stop = new AbortController();
  readonly sockets: AnsweringSocket[] = [];
  readonly dialsAtMs: number[] = [];
  readonly posts: { by: string; atMs: number; drops: number }[] = [];
  readonly pulls: AbortSignal[] = [];
  /** How long the panel has to answer each report by POST of version 2. */
  readonly timeoutsMs: number[] = [];
  readonly transports: (string | undefined)[] = [];
  readonly log: string[] = [];
  /** The intervals of the reports that were accepted. */
  readonly acceptedMs: number[] = [];
  /** How often idle connections were closed. */
  drops = 0;
  readonly time = new FakeTime();
  #link: ReturnType<FakePanel["open"]> | undefined;

  /** Its link, which starts with the first look at it. */
  get link(): ReturnType<FakePanel["open"]> {
    return this.#link ??= this.open();
  }

  open() {
    const settings = { ...DEFAULTS, ...this.config };
    const shared = { format: "text", secrets: [], forJournal: true } as const;
    setUpLog({ ...shared, level: settings.logLevel, write: (line) => this.log.push(line) });
    const connection = fakeConnection(settings, [{
      onAccepted: (intervalMs) => void this.acceptedMs.push(intervalMs),
      onTransport: (transport) => this.transports.push(transport && transportName(transport)),
    }]);
    const { clientV1, clientV2, opener } = connection;
    const nowMs = () => Math.round(performance.now());
    const held = (signal: AbortSignal) =>
      new Promise<never>((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason))
      );
    const post = async (version: 1 | 2) => {
      this.posts.push({ by: `v${version}`, atMs: nowMs(), drops: this.drops });
      const answer = this.answers[version];
      if (answer === "held") return await held(connection.calls);
      if (answer !== "taken") throw FAILURES[answer];
    };
    clientV1.sendReport = clientV1.sendProbeResult = () => post(1);
    clientV2.call = () => post(2).then(() => []);
    clientV2.report = async (_, { timeoutMs }) => {
      this.timeoutsMs.push(timeoutMs);
      await post(2);
      return await this.events(this.posts.length);
    };
    clientV2.pull = async (signal) => {
      this.pulls.push(signal);
      return this.pulled.length > 0 ? this.pulled.splice(0) : await held(signal);
    };
    connection.closeIdle = () => this.drops++;
    opener.open = (purpose) => {
      this.dialsAtMs.push(nowMs());
      const isRefused = "version" in purpose && purpose.version === this.refusedVersion;
      return this.blocked || isRefused ? Promise.reject(new Error("no")) : this.onOpen();
    };
    const refusal = "Cannot open a WebSocket: status 403";
    opener.toOpenFailure = () => ({
      why: this.blocked ?? "answered",
      error: new PanelError(refusal, { failure: "unavailable", retryAfterMs: this.retryAfterMs }),
    });
    const { phaseMs, stop: { signal } } = this;
    const owner = new ReportingOwner(connection, settings, { phaseMs, signal });
    return { connection, owner, running: owner.link.run() };
  }

  /** Lets time pass; the link starts with it. */
  async run(ms: number): Promise<void> {
    void this.link;
    await this.time.run(ms);
  }

  /** Stops the link, of which no timer may be left. */
  async [Symbol.asyncDispose](): Promise<void> {
    using time = this.time;
    this.stop.abort();
    this.link.owner.close();
    await time.run(0);
    await this.link.running;
    assertEquals(time.timers, 0, "no timer is left");
  }

  /** The last WebSocket. */
  get socket(): AnsweringSocket {
    const socket = this.sockets.at(-1);
    assert(socket !== undefined, "no WebSocket was opened");
    return socket;
  }

  lines(words: string): string[] {
    return this.log.filter((line) => line.includes(words));
  }
}

const seconds = (timesMs: readonly number[]) => timesMs.map((ms) => ms / 1000).join(" ");
const timesOf = ({ sent, sentAtMs }: AnsweringSocket, pattern: RegExp) =>
  sentAtMs.filter((_, index) => pattern.test(sent[index] ?? ""));
const sentAtMs = (panel: FakePanel) => panel.sockets.flatMap((it) => timesOf(it, /cpu/));

/** The facts of {@linkcode SCRIPTS}. */
const FACTS: Readonly<Record<string, (panel: FakePanel) => unknown>> = {
  /** When reports went by WebSocket, and by POST. */
  sent: (panel) => seconds(sentAtMs(panel)),
  posts: ({ posts }) => seconds(posts.map(({ atMs }) => atMs)),
  by: ({ posts }) => posts.map(({ by }) => by).join(" "),
  /** When reports by the last WebSocket asked for an answer. */
  asked: ({ socket }) => seconds(timesOf(socket, /"id":\d/)),
  accepted: ({ acceptedMs }) => seconds(acceptedMs),
  timeouts: ({ timeoutsMs }) => seconds(timeoutsMs),
  transports: ({ transports }) => transports.map((it) => it ?? "none").join(", "),
  dials: ({ dialsAtMs }) => dialsAtMs.length,
  /** How long the first three WebSockets lasted, each of which a report by POST follows at once. */
  lasted: ({ posts, dialsAtMs }) =>
    seconds(posts.slice(0, 3).map(({ atMs }, index) => atMs - (dialsAtMs[index] ?? NaN))),
  sockets: ({ sockets }) => sockets.length,
  /** Samples that went not at all, or twice; or were not accepted. */
  unsent: (panel) => panel.link.owner.reports - panel.posts.length - sentAtMs(panel).length,
  unaccepted: (panel) => panel.link.owner.reports - panel.acceptedMs.length,
  samples: (panel) => panel.link.owner.reports,
  drops: ({ drops }) => drops,
  /** How often terminals were checked. */
  dead: (panel) => panel.link.owner.deadConnections,
  pulling: ({ pulls }) => pulls.filter(({ aborted }) => !aborted).length,
  timers: ({ time }) => time.timers,
  lines: ({ log }) => log.length,
};

/** The steps of {@linkcode SCRIPTS}: what happens to a panel, or its configuration. */
const STEPS: Readonly<Record<string, (panel: FakePanel, value: string) => unknown>> = {
  interval: (panel, value) => panel.config = { ...panel.config, intervalSeconds: Number(value) },
  phase: (panel, value) => panel.phaseMs = Number(value) * 1000,
  level: (panel) => panel.config = { ...panel.config, logLevel: "debug" },
  http: (panel) => panel.config = { ...panel.config, transport: "http" },
  older: (panel) => panel.config = { ...panel.config, protocolVersion: 1, remoteControl: true },
  blocked: (panel, value) => panel.blocked = value as DialFailure,
  open: (panel) => panel.blocked = undefined,
  mute: (panel) => panel.mute = true,
  heard: (panel) => panel.mute = false,
  refusing: (panel) => panel.socket.refusing = true,
  taking: (panel) => panel.socket.refusing = false,
  v1: (panel, value) => panel.answers[1] = value as Answer,
  v2: (panel, value) => panel.answers[2] = value as Answer,
  "no-v2": (panel) => panel.refusedVersion = 2,
  reset: (panel) => panel.socket.end("reset"),
  event: ({ link }) =>
    link.connection.acknowledgements.add([{ id: "e", message: { kind: "unknown", method: "m" } }]),
  result: ({ link }) =>
    link.connection.sender.sendProbeResult(PROBE_RESULT, new AbortController().signal),
  end: ({ stop, link }) => (stop.abort(), link.owner.close()),
};

const SCRIPTS = `
reports at once when the WebSocket opens, then every 3 s
  9.5 s; sent = 0 3 6 9; posts =; transports = v2 WebSocket; accepted = 3 3 3 3
  said 1: First report accepted, by v2 WebSocket
reports in the phase of other panels, after a first report at once
  interval 1; phase -0.4; 2.7 s; sent = 0 0.6 1.6 2.6
gives the report that tries POST 6 s, and the next ones as long as a call
  http; 11 s; timeouts = 6 5 5
logs each report at level debug
  interval 1; level debug; 6.5 s; said 2: Report accepted by v2 WebSocket in 0 ms
  said 5: Report sent by v2 WebSocket
logs no report at level info
  interval 1; 6.5 s; said 0: Report
asks for an answer with each report after one that was refused
  interval 1; 1 s; refusing; 7 s; taking; 4 s; asked = 0 5 6 7 8 9
logs that reports by WebSocket are refused
  1 s; refusing; v2 rejected; 5.5 s; said 1: <4>
logs that reports by POST are refused
  http; 1 s; v2 rejected; 5.5 s; said 1: <4>
aborts its pull when it ends
  http; 1 s; pulling = 1; end; pulling = 0
logs no outage when it ends
  1 s; end; 0 s; said 0: <4>; sockets = 1
logs no outage when it aborts a report
  http; 1 s; v2 held; 5 s; by = v2 v2; end; 0 s; lines = 1
has one timer, that of its next attempt
  v1 unsupported; v2 unsupported; no-v2; 1 s; transports = v1 WebSocket; blocked refused; reset; 0 s; timers = 1
asks for an answer with the first report by a new WebSocket, which it opens at once
  interval 1; 1.5 s; reset; 0 s; sockets = 2; 2.5 s; asked = 1.5
asks for an answer as long as events are to be acknowledged
  interval 1; 2.5 s; event; 2 s; asked = 0 3
notices within 10 s of reports each second that the WebSocket is dead
  interval 1; 0.5 s; mute; 10 s; by = v2
holds up no report for slow answers, and sends by POST and dials again when there is none for 5 s
  1 s; mute; 6.9 s; sent = 0 3 6; dials = 1; drops = 0; heard; 0.2 s; by = v2; drops = 1
  4 s; dials = 2; transports = v2 WebSocket, none, v2 POST, v2 WebSocket; said 1: Reporting again after 8 s; said 0: Cannot
notices a dead WebSocket of version 1 within 15 s, as calls and terminals must not use the same path
  older; interval 10; 9 s; transports = v1 WebSocket; mute; 5.999 s; drops = 0; 0.001 s; drops = 1; dead = 1
  9 s; dials >= 2
waits longer for answers after several that came too late
  1 s; mute; v2 late; 60 s; lasted = 8 10 20
closes idle connections when POST is answered too late
  http; 1 s; v2 late; 4 s; by = v2 v2; drops = 1; dead = 1
keeps idle connections when POST is refused
  http; 1 s; v2 lost; 4 s; by = v2 v2; drops = 0; dead = 0
gives reports by WebSocket the interval, where that is long
  interval 8; 0 s; mute; 16.001 s; said 1: no answer within 8 s
sends by POST while the upgrade is blocked, and back within 30 s, each sample once
  blocked answered; 16 s; transports = v2 POST; posts = 0 5 10 15
  said 1: sent by POST: WebSockets are blocked: status 403
  open; 30 s; transports = v2 POST, v2 WebSocket; unsent = 0; unaccepted = 0; said 1: The WebSocket works again
leaves POST only for a WebSocket that has answered a report
  blocked answered; 1 s; open; mute; 55 s; transports = v2 POST; unsent = 0; said 1: sent by POST
  posts = 0 5 10 15 20 25 30 35 40 45 50 55; sockets >= 2
finds version 1, and says so once; the newer one is tried after each loss
  blocked answered; v2 unsupported; 6 s; transports = v1 POST; by = v2 v1 v1; said 0: Cannot
  v1 lost; 8 s; v1 taken; 5 s; dials >= 3; said 1: only version 1
logs an outage in two lines, and tries at least every 4 s
  blocked refused; 20 s; dials >= 6; samples = 0; open; 4 s; samples >= 1; lines = 3; said 1: answers again
leaves the sender to POST during an outage
  1 s; blocked no answer; reset; 0 s; result; by = v2
leaves the sender to POST of version 1
  older; http; 0 s; result; by = v1 v1
`;

testScripts(
  SCRIPTS,
  { steps: STEPS, facts: FACTS, run: (panel, ms) => panel.run(ms), log: ({ log }) => log },
  { subject: "PanelLink.run()", make: () => new FakePanel() },
);

const withPanel = testsWith(() => new FakePanel());

withPanel.test("PanelLink.run() ends when the report in flight has", async (panel) => {
  const held = Promise.withResolvers<PanelEvent[]>();
  panel.config = { transport: "http" };
  panel.events = () => held.promise;
  let hasEnded = false;
  panel.link.running.then(() => hasEnded = true);
  await panel.run(0);
  panel.stop.abort();
  await panel.run(100);
  assertEquals(hasEnded, false);
  held.resolve([]);
  await panel.link.running;
});

withPanel.test("PanelLink.run() leaves the WebSocket open for results when it gives up a report that is not answered", async (panel) => {
  panel.mute = true;
  await panel.run(100);
  panel.stop.abort();
  panel.link.connection.close();
  await panel.link.running;
  assertEquals([panel.socket.sent.length, panel.socket.closeReason], [1, ""]);
  panel.link.owner.close();
  await panel.run(0);
  assertEquals([panel.socket.closeReason, panel.lines("<4>")], ["it was closed here", []]);
});

withPanel.test("PanelLink.run() closes a WebSocket that opens when the signal has aborted", async (panel) => {
  const opening = Promise.withResolvers<FakeSocket>();
  panel.onOpen = () => opening.promise;
  await panel.run(0);
  panel.stop.abort();
  panel.link.owner.close();
  await panel.link.running;
  const socket = new FakeSocket();
  opening.resolve(socket);
  await panel.run(0);
  assertEquals([socket.closeReason, socket.sent], ["it was closed here", []]);
});

withPanel.test("PanelLink.run() waits as long as refusals of upgrades and reports want", async (panel) => {
  Object.assign(panel, { blocked: "answered", retryAfterMs: 100_000 });
  panel.answers[2] = "limited";
  await panel.run(40_000);
  panel.answers[2] = "taken";
  await panel.run(80_000);
  const { dialsAtMs, posts: [first, second] } = panel;
  const isAbout = (atMs = NaN, wantedMs: number) => atMs >= wantedMs && atMs <= wantedMs + 1_500;
  assertEquals([first?.atMs, dialsAtMs[0], dialsAtMs.length], [0, 0, 2]);
  assert(isAbout(second?.atMs, 45_000) && isAbout(dialsAtMs[1], 100_000), `${dialsAtMs}`);
});

withPanel.test("PanelLink.run() sends the next report by POST when all events of an answer were read", async (panel) => {
  const message = { kind: "notice", text: "n" } as const;
  panel.config = { transport: "http", intervalSeconds: 1 };
  panel.events = (post) =>
    Array.from({ length: post === 2 ? 1_150 : 0 }, (_, id) => ({ id: `${id}`, message }));
  await panel.run(3_900);
  assertEquals(panel.posts.map(({ atMs }) => atMs), [0, 1_000]);
  await panel.run(3_000);
  assert(panel.posts.length > 2);
});

withPanel.test("PanelLink.run() closes the WebSocket of a panel that goes on, and stays away from it for longer each time", async (panel) => {
  const params = { ping_task_id: 1, ping_type: "tcp", ping_target: "a" };
  const gapsMs: number[] = [];
  await panel.run(0);
  for (let round = 0; round < 4; round++) {
    const { socket, sockets: { length } } = panel;
    for (let count = 0; count < 5000; count++) socket.say({ method: "agent.ping", params });
    while (socket.closeReason === "") await panel.run(100);
    const closedAtMs = performance.now();
    while (panel.sockets.length === length) await panel.run(100);
    gapsMs.push(performance.now() - closedAtMs);
    await panel.run(100);
  }
  assertEquals(panel.transports.slice(0, 3), ["v2 WebSocket", undefined, "v2 POST"]);
  // At least half of 30 s, which is the longest.
  const leastMs = (index: number) => Math.min(1900 * 2 ** index, 14_900);
  assert(gapsMs.every((gapMs, index) => gapMs >= leastMs(index)), gapsMs.join(", "));
  assertEquals(panel.lines("the panel sends too many messages").length > 0, true);
});

withPanel.test("PanelLink.run() is back within 12 s of the last answer when the path of all connections is dead", async (panel) => {
  await panel.run(6000);
  panel.mute = true;
  await panel.run(14_999);
  const [back] = panel.posts;
  assert(back !== undefined && back.atMs <= 6000 + 12_000, `back at ${back?.atMs}`);
  assert(back.drops > 0, "idle connections of the dead path are closed before the next call");
});
