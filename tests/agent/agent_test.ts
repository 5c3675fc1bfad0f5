import { assert, assertEquals } from "@std/assert";
import { Agent } from "../../lib/agent/agent.ts";
import { ReportTimer } from "../../lib/agent/report_timer.ts";
import { PanelProbes } from "../../lib/agent/panel_probes.ts";
import { setUpLog } from "../../lib/log/log.ts";
import { SystemResolver } from "../../lib/net/dns.ts";
import type { PanelConnection } from "../../lib/panel/panel_connection.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { PanelSocket } from "../../lib/panel/panel_socket.ts";
import type { WireBasicInfo } from "../../lib/panel/protocol.ts";
import { PublicAddresses } from "../../lib/metrics/public_addresses.ts";
import { Rates } from "../../lib/metrics/rates.ts";
import { Sampler } from "../../lib/metrics/snapshot.ts";
import { RemoteControl } from "../../lib/remote/remote_control.ts";
import type { Addresses, ProbeTask } from "../../lib/types.ts";
import { sameLater } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import { fakeRow } from "../metrics/fake_collectors.ts";
import { DEFAULTS, fakeConnection } from "../panel/fake_connection.ts";
import { FakeReceiver } from "../panel/fake_receiver.ts";
import { FakeSocket } from "../panel/fake_socket.ts";
import { V1_POST, V2_WEBSOCKET } from "../panel/transports.ts";
import { testsWith } from "../tests_with.ts";

const refused = new PanelError("Cannot send: refused", { failure: "unreachable" });
/** A panel by version 1 and a machine; each call is noted with the time at which it came. */
class FakeWorld implements Disposable {
  readonly time = new FakeTime();
  readonly stop = new AbortController();
  readonly calls: { what: string; atMs: number }[] = [];
  readonly infos: WireBasicInfo[] = [];
  readonly updates: (readonly ProbeTask[])[] = [];
  readonly log: string[] = [];
  onReport: () => Promise<void> = () => Promise.resolve();
  onInfo: (info: WireBasicInfo, signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  onResult: () => Promise<void> = () => Promise.resolve();
  addresses: (signal: AbortSignal) => Promise<Addresses> = () => Promise.resolve({});
  fetchTasks = () => Promise.resolve(this.tasks);
  tasks: { tasks: ProbeTask[]; skipped: string[] } = { tasks: [], skipped: [] };
  readonly handled: unknown[][] = [];
  readonly agent: Agent;
  readonly connection: PanelConnection;
  readonly control: RemoteControl;
  readonly probes: PanelProbes;
  /** How often the remote control was told that the connection may be dead. */
  deadConnections = 0;
  snapshots = 0;
  cores = 2;
  /** What was closed: the probes, and the control, which refuses orders then. */
  readonly closed: string[] = [];

  constructor(options: { infoIntervalMinutes?: number; intervalSeconds?: number } = {}) {
    const log = { level: "info", format: "text", secrets: [], forJournal: true } as const;
    setUpLog({ ...log, write: (line) => this.log.push(line) });
    const transport = { transport: "http", protocolVersion: 1, infoIntervalMinutes: 5 } as const;
    const config = { ...DEFAULTS, ...transport, ...options };
    const connection = this.connection = fakeConnection(config);
    const { clientV1 } = connection;
    clientV1.sendReport = () => this.#note("report", () => this.onReport());
    clientV1.sendBasicInfo = (info, signal) => {
      this.infos.push(info);
      return this.#note("basic info", () => this.onInfo(info, signal));
    };
    clientV1.sendProbeResult = () => this.#note("result", () => this.onResult());
    clientV1.fetchTasks = () => this.#note("tasks", () => this.fetchTasks());
    const note = (what: string) => (of: unknown) => void this.handled.push([what, of]);
    const machine = { interfaceAddresses: () => [], interfaces: () => [] };
    const probes = this.probes = new PanelProbes(connection, {
      ...{ shell: undefined, health: undefined, machine, allowLocal: false },
      resolver: new SystemResolver(),
    });
    probes.update = (tasks) => void this.updates.push(tasks);
    probes.runOnce = note("probe");
    const control = this.control = new RemoteControl(undefined, connection, config);
    control.handle = note("control");
    control.onDeadConnection = () => void this.deadConnections++;
    for (const [name, part] of Object.entries({ probes, control })) {
      const close = part.close.bind(part);
      part.close = () => (this.closed.push(name), close());
    }
    const counter = fakeRow("snapshots", {}, { collect: () => (this.snapshots++, {}) });
    const getText = () => Promise.reject(new Error("no service is asked"));
    const addresses = new PublicAddresses(config, machine, { getText });
    addresses.lookup = (signal) => this.addresses(signal);
    this.agent = new Agent(connection, {
      ...{ config, sampler: new Sampler([counter]), addresses, probes, control },
      rates: new Rates(),
      machine: { facts: () => ({ arch: "amd64", logicalCores: this.cores }) },
      timer: new ReportTimer(config.intervalSeconds),
      signal: this.stop.signal,
    });
  }

  /** Runs the agent while `use` goes on. */
  async live(use: (time: FakeTime) => Promise<unknown>): Promise<void> {
    const running = this.agent.run();
    await this.time.run(0);
    await use(this.time);
    this.stop.abort();
    await this.time.run(600);
    await running;
  }

  times(what: string): number[] {
    return this.calls.filter((call) => call.what === what).map(({ atMs }) => atMs);
  }

  #note<T>(what: string, call: () => Promise<T>): Promise<T> {
    this.calls.push({ what, atMs: Math.round(performance.now()) });
    return call();
  }

  [Symbol.dispose](): void {
    this.time[Symbol.dispose]();
  }
}

function panelSocket(world: FakeWorld, socket: FakeSocket, version: 1 | 2 = 1): PanelSocket {
  const { acknowledgements } = world.connection;
  return new PanelSocket(socket, { version, receiver: new FakeReceiver(), acknowledgements });
}

/** A call that nothing answers until it is aborted. */
function never(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

const withWorld = testsWith(() => new FakeWorld());

withWorld.test("Agent.run() reports first, then the rest, each at its interval", async (world) => {
  await world.live((time) => time.run(31_000));
  assertEquals(world.calls[0], { what: "report", atMs: 0 });
  assertEquals(world.times("report"), [0, 5000, 10_000, 15_000, 20_000, 25_000, 30_000]);
  assertEquals(world.times("basic info").length, 1);
  assertEquals(world.times("tasks").length, 2);
  assertEquals(world.closed, ["control", "probes"]);
});

Deno.test("Agent.run() doubles the time between retries of basic info, up to its interval", async () => {
  const gaps = async (infoIntervalMinutes: number, accepted?: number) => {
    using world = new FakeWorld({ infoIntervalMinutes });
    world.onInfo = () =>
      world.infos.length === accepted ? Promise.resolve() : Promise.reject(refused);
    await world.live((time) => time.run(100_000));
    const times = world.times("basic info");
    return times.slice(1).map((atMs, index) => atMs - (times[index] ?? NaN));
  };
  assertEquals(await gaps(5), [5000, 10_000, 20_000, 40_000]);
  assertEquals((await gaps(0.2)).slice(0, 4), [5000, 10_000, 12_000, 12_000]);
  assertEquals((await gaps(25 / 60, 4)).slice(0, 5), [5000, 10_000, 20_000, 25_000, 5000]);
});

withWorld.test("Agent.run() refuses orders and reports no more while its last calls end, for half a second", async (world) => {
  world.onInfo = (_, signal) => never(signal);
  const { time } = world;
  let hasEnded = false;
  const running = world.agent.run().then(() => hasEnded = true);
  await time.run(4_900);
  assertEquals([world.times("basic info").length, world.closed], [1, []]);
  world.stop.abort();
  assertEquals(world.closed, ["control"]);
  await time.run(499);
  assertEquals([world.times("report"), hasEnded], [[0], false]);
  await time.run(1);
  await running;
  assertEquals([time.timers, world.connection.calls.aborted], [0, true]);
});

withWorld.test("Agent.run() looks for its addresses once the panel has answered, and sends basic info again as soon as they are known", async (world) => {
  const answered = Promise.withResolvers<void>();
  const found = Promise.withResolvers<Addresses>();
  let lookups = 0;
  world.onInfo = () => answered.promise;
  world.addresses = () => (lookups++, found.promise);
  await world.live(async (time) => {
    /** The addresses in each basic info of the next so many milliseconds. */
    const sent = async (ms: number) => {
      await time.run(ms);
      return world.infos.splice(0).map(({ ipv4, ipv6 }) => ipv6 ?? ipv4);
    };
    assertEquals([await sent(1000), lookups], [[undefined], 0]);
    answered.resolve();
    assertEquals([await sent(10), lookups], [[], 1]);
    found.resolve({ ipv4: "192.0.2.1" });
    assertEquals(await sent(10), ["192.0.2.1"]);
    assertEquals(await sent(300_000), ["192.0.2.1"], "known addresses need no second message");
    world.addresses = () => Promise.resolve({ ipv4: "192.0.2.1", ipv6: "2001:db8::1" });
    assertEquals(await sent(300_000), ["192.0.2.1", "2001:db8::1"]);
    world.addresses = () => Promise.reject(new Error("no service answers"));
    assertEquals(await sent(600_000), ["2001:db8::1", undefined, undefined]);
    // Nor does one that was found hasten a retry.
    world.onInfo = () => Promise.reject(refused);
    world.addresses = () => Promise.resolve({ ipv4: "192.0.2.1" });
    assertEquals([await sent(300_000), await sent(5_000)], [[undefined], ["192.0.2.1"]]);
  });
});

withWorld.test("Agent.run() ends a search for addresses that nothing answers", async (world) => {
  const searches: AbortSignal[] = [];
  world.addresses = (signal) => (searches.push(signal), never(signal));
  await world.live((time) => time.run(1000));
  assertEquals(searches.map(({ aborted }) => aborted), [true]);
});

withWorld.test("Agent.run() sends the cores that there are at each basic info", async (world) => {
  await world.live(async (time) => {
    await time.run(1000);
    world.cores = 4;
    await time.run(299_000);
  });
  assertEquals(world.infos.map((info) => info.cpu_cores), [2, 4]);
  assertEquals(
    world.snapshots,
    world.times("report").length,
    "basic info takes what was measured last",
  );
});

withWorld.test("Agent.run() says once which tasks it skips, and again when they change", async (world) => {
  await world.live(async (time) => {
    for (const skipped of [["3 of type udp"], ["4 of type udp"], [..."vwxyz"], [..."abcdefg"]]) {
      world.tasks = { tasks: [], skipped };
      await time.run(60_000);
    }
  });
  const lines = world.log.filter((line) => line.includes("Skipping"));
  assertEquals(lines.map((line) => line.replace(/.* that can't be run: /, "")), [
    ...["3 of type udp", "4 of type udp", "v, w, x, y, z", "a, b, c, d, e and 2 more"],
  ]);
});

withWorld.test("Agent.run() ends soon, with what is under way given a moment to arrive, and closes the WebSocket", async (world) => {
  let hasArrived = false;
  const arrival = Promise.withResolvers<void>();
  world.onResult = () => arrival.promise.then(() => void (hasArrived = true));
  const socket = new FakeSocket();
  await world.live(async (time) => {
    await time.run(10);
    world.probes.send({ taskId: 1, kind: "tcp", valueMs: 3, finishedAt: new Date(0) });
    await time.run(1);
    world.connection.sender.socket = panelSocket(world, socket);
    queueMicrotask(() => arrival.resolve());
  });
  assertEquals([hasArrived, socket.closeReason], [true, "it was closed here"]);
});

withWorld.test("Agent.run() handles the orders of the panel, also before its first report is accepted, and sends nothing else until then", async (world) => {
  const held = Promise.withResolvers<void>();
  world.onReport = () => held.promise;
  const probe = { kind: "probe", probe: { id: 1, kind: "tcp", target: "h" } } as const;
  const orders = [
    { kind: "command", taskId: "c", command: "id" },
    { kind: "terminal", requestId: "t", resumable: true },
    { kind: "file", requestId: "f", op: "list", args: {} },
    { kind: "startup config", requestId: "s" },
    { kind: "switch version", version: "latest" },
  ] as const;
  await world.live(async (time) => {
    world.agent.onOrder(probe);
    await time.run(300);
    assertEquals(world.times("tasks"), []);
    for (const order of orders) world.agent.onOrder(order);
    held.resolve();
    await time.run(1);
    assertEquals(world.times("tasks").length, 1);
  });
  const controlled = orders.map((order) => ["control", order]);
  assertEquals(world.handled, [["probe", probe.probe], ...controlled]);
});

withWorld.test("Agent.run() has the terminals looked at when a report was not answered, and not when it was refused", async (world) => {
  const timeout = new PanelError("Cannot send: no answer", { failure: "timeout" });
  await world.live(async (time) => {
    await time.run(4_000);
    world.onReport = () => Promise.reject(refused);
    await time.run(30_000);
    assertEquals(world.deadConnections, 0);
    const reports = world.times("report").length;
    world.onReport = () => Promise.reject(timeout);
    await time.run(60_000);
    assertEquals(world.deadConnections, world.times("report").length - reports);
  });
  assert(world.deadConnections > 0);
});

withWorld.test("Agent.run() asks for tasks only while the panel does not order each run itself", async (world) => {
  world.tasks = { tasks: [{ id: 1, kind: "tcp", target: "h", intervalSeconds: 5 }], skipped: [] };
  await world.live(async (time) => {
    await time.run(300);
    assertEquals(world.updates, [world.tasks.tasks]);
    world.agent.onTransport(undefined);
    await time.run(60_000);
    assertEquals(world.updates.length, 1, "what was asked for goes on while nothing goes through");
    world.agent.onTransport(V2_WEBSOCKET);
    await time.run(60_000);
    assertEquals(world.updates, [world.tasks.tasks, []], "the panel orders each run from now on");
    assertEquals(world.times("tasks").length, 1);
    world.agent.onTransport(V1_POST);
    await time.run(0);
    assertEquals(world.updates.at(-1), world.tasks.tasks);
    // A list that comes when it orders them again.
    const held = Promise.withResolvers<typeof world.tasks>();
    world.fetchTasks = () => held.promise;
    await time.run(30_000);
    world.agent.onTransport(V2_WEBSOCKET);
    await time.run(0);
    world.updates.length = 0;
    held.resolve(world.tasks);
    await time.run(1_000);
    assertEquals(world.updates, [[]]);
  });
});

/** When an agent that reports by WebSocket has checked its token, in seconds, and how often it closed that. */
async function checkTokens(minutes: number, answer: () => Promise<boolean>) {
  using world = new FakeWorld();
  const { connection } = world;
  const checks: number[] = [];
  let closed = 0;
  connection.isTokenKnown = () => (checks.push(performance.now() / 1000 - 900), answer());
  await world.live(async (time) => {
    await time.run(900_000 - 1);
    assertEquals(checks, [], "by POST each report is a check");
    world.agent.onTransport(V2_WEBSOCKET);
    const socket = panelSocket(world, new FakeSocket(), 2);
    socket.close = () => void closed++;
    connection.sender.socket = socket;
    await time.run(minutes * 60_000);
    connection.sender.socket = undefined;
  });
  return { checks, closed };
}

Deno.test("Agent.run() looks within two minutes whether the token is known, while reports go by WebSocket, and closes that of a panel that forgot it", async () => {
  const { checks, closed } = await checkTokens(10, () => Promise.resolve(true));
  assertEquals(checks, [0, 100, 200, 300, 400, 500, 600].slice(0, checks.length));
  assertEquals([checks.length >= 6, closed], [true, 0]);
  assert((await checkTokens(2, () => Promise.resolve(false))).closed > 0);
  assertEquals((await checkTokens(2, () => Promise.reject(refused))).closed, 0, "it can't ask");
});

Deno.test("Agent.report() asks once a connection whether pings keep it, only where the interval is long", async () => {
  await sameLater(
    async ([intervalSeconds, isKept, version]) => {
      let [asked, kept] = [0, 0];
      using world = new FakeWorld({ intervalSeconds });
      await world.live(async (time) => {
        const { connection } = world;
        connection.sender.acceptsPings = () => (asked++, Promise.resolve(isKept));
        for (let n = 0; n < 2; n++) {
          const socket = panelSocket(world, new FakeSocket(), version);
          socket.sendReport = () => Promise.resolve();
          socket.notifyReport = () => {};
          socket.keepAlive = () => void kept++;
          connection.sender.socket = socket;
          const transport = { version, carrier: "WebSocket" } as const;
          world.agent.onTransport(transport);
          await world.agent.report(transport);
          await time.run(65_000);
          world.agent.onTransport(undefined);
        }
        connection.sender.socket = undefined;
      });
      return `asked ${asked}, kept ${kept}, reported ${world.snapshots}`;
    },
    [
      [[30, true, 2], "asked 2, kept 2, reported 7"],
      [[30, false, 2], "asked 2, kept 0, reported 15"],
      [[30, true, 1], "asked 0, kept 0, reported 15"],
      [[10, true, 2], "asked 0, kept 0, reported 15"],
    ] as const,
  );
});
