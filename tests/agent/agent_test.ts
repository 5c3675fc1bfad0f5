import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Agent } from "../../lib/agent/agent.ts";
import { ReportTimer } from "../../lib/agent/report_timer.ts";
import { PanelProbes } from "../../lib/agent/panel_probes.ts";
import { setUpLog } from "../../lib/log/log.ts";
import { SystemResolver } from "../../lib/net/dns.ts";
import type { PanelConnection } from "../../lib/panel/panel_connection.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { PanelSocket } from "../../lib/panel/panel_socket.ts";
import type { WireBasicInfo, WireReport } from "../../lib/panel/protocol.ts";
import type { Transport } from "../../lib/panel/transport.ts";
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
  readonly reports: WireReport[] = [];
  readonly infos: WireBasicInfo[] = [];
  readonly updates: (readonly ProbeTask[])[] = [];
  readonly log: string[] = [];
  onReport: () => Promise<void> = () => Promise.resolve();
  onInfo: (info: WireBasicInfo, signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  onResult: () => Promise<void> = () => Promise.resolve();
  addresses: (signal: AbortSignal) => Promise<Addresses> = () => Promise.resolve({});
  fetchTasks = () => Promise.resolve(this.tasks);
  tasks: { tasks: ProbeTask[]; skipped: string[] } = { tasks: [], skipped: [] };
  readonly handled: { what: string; of: unknown }[] = [];
  readonly agent: Agent;
  readonly connection: PanelConnection;
  readonly control: RemoteControl;
  readonly probes: PanelProbes;
  /** How often the remote control was told that the connection may be dead. */
  deadConnections = 0;
  snapshots = 0;
  cores = 2;
  stopped = false;
  /** Whether orders are refused. */
  isClosed = false;

  constructor(options: { infoIntervalMinutes?: number; intervalSeconds?: number } = {}) {
    setUpLog({
      ...{ level: "info", format: "text", secrets: [], forJournal: true },
      write: (line) => this.log.push(line),
    });
    const transport = { transport: "http", protocolVersion: 1, infoIntervalMinutes: 5 } as const;
    const config = { ...DEFAULTS, ...transport, ...options };
    const connection = this.connection = fakeConnection(config);
    const { clientV1 } = connection;
    clientV1.sendReport = (report) => {
      this.reports.push(report);
      return this.#note("report", () => this.onReport());
    };
    clientV1.sendBasicInfo = (info, signal) => {
      this.infos.push(info);
      return this.#note("basic info", () => this.onInfo(info, signal));
    };
    clientV1.sendProbeResult = () => this.#note("result", () => this.onResult());
    clientV1.fetchTasks = () => this.#note("tasks", () => this.fetchTasks());
    const note = (what: string) => (of: unknown) => void this.handled.push({ what, of });
    const machine = { interfaceAddresses: () => [], interfaces: () => [] };
    const probes = this.probes = new PanelProbes(connection, {
      ...{ shell: undefined, health: undefined, machine, allowLocal: false },
      resolver: new SystemResolver(),
    });
    probes.update = (tasks) => void this.updates.push(tasks);
    probes.runOnce = note("probe");
    probes.close = () => {
      this.stopped = true;
      return PanelProbes.prototype.close.call(probes);
    };
    const control = this.control = new RemoteControl(undefined, connection, config);
    control.handle = note("control");
    control.onDeadConnection = () => void this.deadConnections++;
    control.close = () => {
      this.isClosed = true;
      return RemoteControl.prototype.close.call(control);
    };
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

function panelSocket(
  { connection: { acknowledgements } }: FakeWorld,
  socket = new FakeSocket(),
  version: 1 | 2 = 1,
): PanelSocket {
  return new PanelSocket(socket, { version, receiver: new FakeReceiver(), acknowledgements });
}

const withWorld = testsWith(() => new FakeWorld());

withWorld.test("Agent.run() reports first, then the rest, each at its interval", async (world) => {
  await world.live((time) => time.run(31_000));
  assertEquals(world.calls[0], { what: "report", atMs: 0 });
  assertEquals(world.times("report"), [0, 5000, 10_000, 15_000, 20_000, 25_000, 30_000]);
  assertEquals(world.times("basic info").length, 1);
  assertEquals(world.times("tasks").length, 2);
  assertEquals(world.stopped, true);
});

withWorld.test("Agent.run() has one report under way at most, and drops the late ones", async (world) => {
  const held = Promise.withResolvers<void>();
  world.onReport = () => world.reports.length === 2 ? held.promise : Promise.resolve();
  await world.live(async (time) => {
    await time.run(22_000);
    assertEquals(world.reports.length, 2);
    assertEquals(world.snapshots, 2, "nothing is measured for a report that is not sent");
    held.resolve();
    await time.run(4000);
    assertEquals(world.times("report"), [0, 5000, 25_000], "back in step, none made up for");
  });
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
  world.onInfo = (_, signal) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const { time } = world;
  let hasEnded = false;
  const running = world.agent.run().then(() => hasEnded = true);
  await time.run(4_900);
  assertEquals([world.times("basic info").length, world.isClosed], [1, false]);
  world.stop.abort();
  assertEquals(world.isClosed, true);
  await time.run(499);
  assertEquals([world.times("report"), hasEnded], [[0], false]);
  await time.run(1);
  await running;
  assertEquals([time.timers, world.connection.calls.aborted], [0, true]);
});

withWorld.test("Agent.run() closes the WebSocket when it ends", async (world) => {
  const socket = new FakeSocket();
  await world.live(() => {
    world.connection.sender.socket = panelSocket(world, socket);
    return Promise.resolve();
  });
  assertEquals(socket.closeReason, "it was closed here");
});

withWorld.test("Agent.run() looks for its addresses once the panel has answered, and sends basic info again as soon as they are known", async (world) => {
  const answered = Promise.withResolvers<void>();
  const found = Promise.withResolvers<Addresses>();
  let lookups = 0;
  world.onInfo = () => answered.promise;
  world.addresses = () => (lookups++, found.promise);
  const sent = () => world.infos.splice(0).map(({ ipv4, ipv6 }) => ipv6 ?? ipv4);
  await world.live(async (time) => {
    await time.run(1000);
    assertEquals([sent(), lookups], [[undefined], 0]);
    answered.resolve();
    await time.run(10);
    assertEquals([sent(), lookups], [[], 1]);
    found.resolve({ ipv4: "192.0.2.1" });
    await time.run(10);
    assertEquals(sent(), ["192.0.2.1"]);
    await time.run(300_000);
    assertEquals(sent(), ["192.0.2.1"], "known addresses need no second message");
    world.addresses = () => Promise.resolve({ ipv4: "192.0.2.1", ipv6: "2001:db8::1" });
    await time.run(300_000);
    assertEquals(sent(), ["192.0.2.1", "2001:db8::1"]);
    world.addresses = () => Promise.reject(new Error("no service answers"));
    await time.run(600_000);
    assertEquals(sent(), ["2001:db8::1", undefined, undefined]);
    // Nor does one that was found hasten a retry.
    world.onInfo = () => Promise.reject(refused);
    world.addresses = () => Promise.resolve({ ipv4: "192.0.2.1" });
    await time.run(300_000);
    assertEquals(sent(), [undefined]);
    await time.run(5_000);
    assertEquals(sent(), ["192.0.2.1"]);
  });
});

withWorld.test("Agent.run() ends a search for addresses that nothing answers", async (world) => {
  let isEnded = false;
  world.addresses = (signal) =>
    new Promise((_, reject) =>
      signal.addEventListener("abort", () => {
        isEnded = true;
        reject(signal.reason);
      })
    );
  await world.live((time) => time.run(1000));
  assertEquals(isEnded, true);
});

withWorld.test("Agent.run() sends the cores that there are at each basic info", async (world) => {
  await world.live(async (time) => {
    await time.run(1000);
    world.cores = 4;
    await time.run(299_000);
  });
  assertEquals(world.infos.map((info) => info.cpu_cores), [2, 4]);
  assertEquals(world.snapshots, world.reports.length, "basic info takes what was measured last");
});

withWorld.test("Agent.run() says once which tasks it skips, and again when they change", async (world) => {
  world.tasks = { tasks: [], skipped: ["3 of type udp"] };
  const skippedLines = () => world.log.filter((line) => line.includes("Skipping")).length;
  await world.live(async (time) => {
    await time.run(61_000);
    assertEquals(skippedLines(), 1);
    world.tasks = { tasks: [], skipped: ["4 of type udp"] };
    await time.run(30_000);
    assertEquals(skippedLines(), 2);
    world.tasks = { tasks: [], skipped: [..."vwxyz"] };
    await time.run(30_000);
    assertEquals(world.log.at(-1)?.endsWith("v, w, x, y, z"), true, world.log.at(-1));
    world.tasks = { tasks: [], skipped: [..."abcdefg"] };
    await time.run(30_000);
    assertStringIncludes(world.log.at(-1) ?? "", "can't be run: a, b, c, d, e and 2 more");
  });
});

withWorld.test("Agent.run() ends soon, with what is under way given a moment to arrive", async (world) => {
  const arrived: string[] = [];
  const arrival = Promise.withResolvers<void>();
  world.onResult = () => arrival.promise.then(() => void arrived.push("result"));
  await world.live(async (time) => {
    await time.run(10);
    world.probes.send({ taskId: 1, kind: "tcp", valueMs: 3, finishedAt: new Date(0) });
    await time.run(1);
    queueMicrotask(() => arrival.resolve());
  });
  assertEquals(arrived, ["result"]);
});

withWorld.test("Agent.run() handles the orders of the panel, also before its first report is accepted, and sends nothing else until then", async (world) => {
  const held = Promise.withResolvers<void>();
  world.onReport = () => held.promise;
  const probe = { kind: "probe", probe: { id: 1, kind: "tcp", target: "h" } } as const;
  const command = { kind: "command", taskId: "c", command: "id" } as const;
  const terminal = { kind: "terminal", requestId: "t", resumable: true } as const;
  const file = { kind: "file", requestId: "f", op: "list", args: {} } as const;
  const startupConfig = { kind: "startup config", requestId: "s" } as const;
  const switchVersion = { kind: "switch version", version: "latest" } as const;
  await world.live(async (time) => {
    world.agent.onOrder(probe);
    await time.run(300);
    assertEquals(world.times("tasks").length, 0);
    world.agent.onOrder(command);
    world.agent.onOrder(terminal);
    world.agent.onOrder(file);
    world.agent.onOrder(startupConfig);
    world.agent.onOrder(switchVersion);
    held.resolve();
    await time.run(1);
    assertEquals(world.times("tasks").length, 1);
  });
  assertEquals(world.handled, [
    { what: "probe", of: probe.probe },
    { what: "control", of: command },
    { what: "control", of: terminal },
    { what: "control", of: file },
    { what: "control", of: startupConfig },
    { what: "control", of: switchVersion },
  ]);
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

/** An agent that reports by WebSocket for so many minutes, whose panel answers each check of the token. */
async function checkTokens(
  minutes: number,
  answer: () => Promise<boolean>,
): Promise<{ checks: number[]; closed: number }> {
  using world = new FakeWorld();
  const found = { checks: Array<number>(), closed: 0 };
  await world.live(async (time) => {
    const { connection } = world;
    connection.isTokenKnown = () => {
      found.checks.push(performance.now() / 1000 - 900);
      return answer();
    };
    await time.run(900_000 - 1);
    assertEquals(found.checks, [], "by POST each report is a check");
    world.agent.onTransport(V2_WEBSOCKET);
    const socket = panelSocket(world, new FakeSocket(), 2);
    socket.close = () => void found.closed++;
    connection.sender.socket = socket;
    await time.run(minutes * 60_000);
    connection.sender.socket = undefined;
  });
  return found;
}

Deno.test("Agent.run() looks within two minutes whether the token is known, while reports go by WebSocket, and closes that of a panel that forgot it", async () => {
  const { checks, closed } = await checkTokens(10, () => Promise.resolve(true));
  assertEquals(checks, [0, 100, 200, 300, 400, 500, 600].slice(0, checks.length));
  assert(checks.length >= 6);
  assertEquals(closed, 0);
  assert((await checkTokens(2, () => Promise.resolve(false))).closed > 0);
  assertEquals((await checkTokens(2, () => Promise.reject(refused))).closed, 0, "it can't ask");
});

Deno.test("Agent.report() asks once a connection whether pings keep it, only where the interval is long", async () => {
  await sameLater(
    async ([intervalSeconds, isKept, version]) => {
      const asked: number[] = [];
      let keptAlive = 0;
      using world = new FakeWorld({ intervalSeconds });
      await world.live(async (time) => {
        const { connection } = world;
        connection.sender.acceptsPings = () => {
          asked.push(Math.round(performance.now()));
          return Promise.resolve(isKept);
        };
        const answering = (version: 1 | 2) => {
          const socket = panelSocket(world, new FakeSocket(), version);
          socket.sendReport = () => Promise.resolve();
          socket.notifyReport = () => {};
          socket.keepAlive = () => void keptAlive++;
          return socket;
        };
        for (let n = 0; n < 2; n++) {
          connection.sender.socket = answering(version);
          const transport: Transport = { version, carrier: "WebSocket" };
          world.agent.onTransport(transport);
          await world.agent.report(transport);
          await time.run(65_000);
          world.agent.onTransport(undefined);
        }
        connection.sender.socket = undefined;
      });
      return `asked ${asked.length}, kept ${keptAlive}, reported ${world.snapshots}`;
    },
    [
      [[30, true, 2], "asked 2, kept 2, reported 7"],
      [[30, false, 2], "asked 2, kept 0, reported 15"],
      [[30, true, 1], "asked 0, kept 0, reported 15"],
      [[10, true, 2], "asked 0, kept 0, reported 15"],
    ] as const,
  );
});
