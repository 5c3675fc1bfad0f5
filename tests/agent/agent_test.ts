import { assert, assertEquals, assertLess } from "@std/assert";
import { Agent, type AgentParts } from "../../lib/agent/agent.ts";
import { setUpLog } from "../../lib/log/log.ts";
import { Acknowledgements } from "../../lib/panel/acknowledgements.ts";
import { PanelLink } from "../../lib/panel/link.ts";
import type { Transport } from "../../lib/panel/transport.ts";
import type { PanelOrder } from "../../lib/panel/messages.ts";
import { OutageLog } from "../../lib/panel/outages.ts";
import { PanelSender } from "../../lib/panel/panel_sender.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import type { WireBasicInfo, WireReport } from "../../lib/panel/protocol.ts";
import type { Addresses, ProbeResult, ProbeTask } from "../../lib/types.ts";
import { FakeTime } from "../fake_time.ts";
import { V1_POST, V2_WEBSOCKET } from "../panel/transports.ts";

const refused = new PanelError("Cannot send: refused", { failure: "unreachable" });
const rejected = new PanelError("Cannot send: status 500", { failure: "rejected", status: 500 });

function notWanted(): never {
  throw new Error("Only the HTTP interface was asked for");
}

/** A panel and a machine of paper; each call is noted with the time at which it came. */
class PaperWorld {
  readonly calls: { what: string; atMs: number }[] = [];
  readonly reports: WireReport[] = [];
  readonly infos: WireBasicInfo[] = [];
  readonly updates: (readonly ProbeTask[])[] = [];
  readonly log: string[] = [];
  onReport: () => Promise<void> = () => Promise.resolve();
  onInfo: (info: WireBasicInfo) => Promise<void> = () => Promise.resolve();
  onResult: () => Promise<void> = () => Promise.resolve();
  addresses: () => Promise<Addresses> = () => Promise.resolve({});
  tasks: { tasks: ProbeTask[]; skipped: string[] } = { tasks: [], skipped: [] };
  deliver: (result: ProbeResult) => void = () => {};
  readonly obeyed: { what: string; of: unknown }[] = [];
  order: (order: PanelOrder) => void = () => {};
  moveTo: (way: Transport | undefined) => void = () => {};
  snapshots = 0;
  accepted = 0;
  cores = 2;
  stopped = false;

  parts(options: { infoIntervalMs?: number } = {}): AgentParts {
    setUpLog({
      level: "info",
      format: "text",
      secrets: [],
      forJournal: true,
      write: (line) => this.log.push(line),
    });
    const http = {
      sendReport: (report: WireReport) =>
        this.#note("report", () => {
          this.reports.push(report);
          return this.onReport();
        }),
      sendBasicInfo: (info: WireBasicInfo) =>
        this.#note("basic info", () => {
          this.infos.push(info);
          return this.onInfo(info);
        }),
      sendProbeResult: () => this.#note("result", () => this.onResult()),
      sendCommandResult: notWanted,
      fetchTasks: () => this.#note("tasks", () => Promise.resolve(this.tasks)),
    };
    const observers = [new OutageLog(), { onAccepted: () => this.accepted++ }];
    const sender = new PanelSender({ clientV1: http, clientV2: { call: notWanted } }, 1);
    return {
      sender,
      infoIntervalMs: options.infoIntervalMs ?? 300_000,
      version: "1",
      http,
      observers,
      openLink: (listener, signals) => {
        this.order = listener.onOrder;
        this.moveTo = listener.onTransport;
        return new PanelLink({
          settings: { noWebSocket: true, version: 1, remoteControl: false, reconnectMs: 2000 },
          intervalMs: 5000,
          phaseMs: undefined,
          clientV1: http,
          clientV2: { report: notWanted, pull: notWanted },
          sender,
          acknowledgements: new Acknowledgements(),
          dropIdleConnections: () => {},
          opener: { open: notWanted, toOpenFailure: notWanted },
          observers,
          ...listener,
        }, signals);
      },
      takeSnapshot: () => {
        this.snapshots++;
        return { failures: [] };
      },
      lookUpAddresses: () => this.addresses(),
      openServices: (onResult) => {
        this.deliver = onResult;
        const update = (tasks: readonly ProbeTask[]) => void this.updates.push(tasks);
        const note = (what: string) => (of: unknown) => void this.obeyed.push({ what, of });
        return {
          facts: () => ({ arch: "amd64", logicalCores: this.cores }),
          probes: { update, runOnce: note("probe"), stop: () => this.stopped = true },
          control: {
            handle: note("control"),
            close: () => Promise.resolve(),
          },
        };
      },
    };
  }

  times(what: string): number[] {
    return this.calls.filter((call) => call.what === what).map(({ atMs }) => atMs);
  }

  #note<T>(what: string, call: () => Promise<T>): Promise<T> {
    this.calls.push({ what, atMs: Math.round(performance.now()) });
    return call();
  }
}

/** Runs an agent in a world for some time of a time that is not the machine's. */
async function live(
  world: PaperWorld,
  use: (time: FakeTime) => Promise<void>,
  options: { infoIntervalMs?: number } = {},
): Promise<void> {
  using time = new FakeTime();
  const stop = new AbortController();
  const running = new Agent(world.parts(options)).run(stop.signal);
  await time.run(0);
  await use(time);
  stop.abort();
  await time.run(600);
  await running;
}

Deno.test("Agent.run() reports first, then the rest, each at its interval", async () => {
  const world = new PaperWorld();
  await live(world, async (time) => {
    await time.run(31_000);
  });
  assertEquals(world.calls[0], { what: "report", atMs: 0 });
  assertEquals(world.times("report"), [0, 5000, 10_000, 15_000, 20_000, 25_000, 30_000]);
  assertEquals(world.times("basic info").length, 1);
  assertEquals(world.times("tasks").length, 2);
  assertEquals(world.stopped, true);
});

Deno.test("Agent.run() has one report under way at most, and drops the late ones", async () => {
  const world = new PaperWorld();
  const held = Promise.withResolvers<void>();
  world.onReport = () => world.reports.length === 2 ? held.promise : Promise.resolve();
  await live(world, async (time) => {
    await time.run(22_000);
    assertEquals(world.reports.length, 2);
    assertEquals(world.snapshots, 2, "nothing is measured for a report that is not sent");
    held.resolve();
    await time.run(4000);
    assertEquals(world.times("report"), [0, 5000, 25_000], "back in step, none made up for");
  });
});

Deno.test("Agent.run() sends nothing else before a report was accepted", async () => {
  const world = new PaperWorld();
  const held = Promise.withResolvers<void>();
  world.onReport = () => held.promise;
  await live(world, async (time) => {
    await time.run(300);
    assertEquals(world.times("tasks").length, 0);
    held.resolve();
    await time.run(1);
    assertEquals(world.times("tasks").length, 1);
  });
});

Deno.test("Agent.run() retries basic info much sooner than at its interval", async () => {
  const world = new PaperWorld();
  world.onInfo = () => Promise.reject(refused);
  await live(world, async (time) => {
    await time.run(60_000);
  });
  const times = world.times("basic info");
  assert(times.length >= 4, `${times}`);
  assertLess((times[1] ?? NaN) - (times[0] ?? NaN), 6000);
});

Deno.test("Agent.run() doubles the time between retries of basic info, up to its interval", async () => {
  const gaps = async (world: PaperWorld, infoIntervalMs: number) => {
    await live(world, (time) => time.run(100_000).then(() => {}), { infoIntervalMs });
    const times = world.times("basic info");
    return times.slice(1).map((atMs, index) => atMs - (times[index] ?? NaN));
  };
  const failing = new PaperWorld();
  failing.onInfo = () => Promise.reject(refused);
  assertEquals(await gaps(failing, 300_000), [5000, 10_000, 20_000, 40_000]);
  const hurried = new PaperWorld();
  hurried.onInfo = () => Promise.reject(refused);
  assertEquals((await gaps(hurried, 12_000)).slice(0, 4), [5000, 10_000, 12_000, 12_000]);
  const recovering = new PaperWorld();
  recovering.onInfo = () =>
    recovering.infos.length === 4 ? Promise.resolve() : Promise.reject(refused);
  assertEquals((await gaps(recovering, 25_000)).slice(0, 5), [5000, 10_000, 20_000, 25_000, 5000]);
});

Deno.test("Agent.run() leaves no timer behind when it has ended", async () => {
  const world = new PaperWorld();
  using time = new FakeTime();
  const stop = new AbortController();
  const running = new Agent(world.parts()).run(stop.signal);
  await time.run(1000);
  stop.abort();
  await running;
  assertEquals(time.timers, 0);
});

Deno.test("Agent.run() sends basic info once more without the newer fields, and remembers", async () => {
  const world = new PaperWorld();
  world.onInfo = (info) =>
    "cpu_physical_cores" in info ? Promise.reject(rejected) : Promise.resolve();
  await live(world, async (time) => {
    await time.run(25_000);
  }, { infoIntervalMs: 10_000 });
  const withNewer = world.infos.map((info) => "cpu_physical_cores" in info);
  assertEquals(withNewer, [true, false, false, false]);
  assertEquals(world.log.filter((line) => line.includes("newer fields")).length, 1);
});

Deno.test("Agent.run() tries the newer fields again when their absence did not help", async () => {
  const world = new PaperWorld();
  world.onInfo = () => Promise.reject(rejected);
  await live(world, async (time) => {
    await time.run(6000);
  });
  const withNewer = world.infos.map((info) => "cpu_physical_cores" in info);
  assertEquals(withNewer, [true, false, true, false]);
});

Deno.test("Agent.run() sends basic info again as soon as the addresses are known", async () => {
  const world = new PaperWorld();
  const found = Promise.withResolvers<Addresses>();
  world.addresses = () => found.promise;
  await live(world, async (time) => {
    await time.run(1000);
    assertEquals(world.infos.map((info) => info.ipv4), [undefined]);
    found.resolve({ ipv4: "192.0.2.1" });
    await time.run(10);
    assertEquals(world.infos.map((info) => info.ipv4), [undefined, "192.0.2.1"]);
    await time.run(300_000);
    assertEquals(world.infos.length, 3, "known addresses need no second message");
  });
});

Deno.test("Agent.run() sends the cores that there are at each basic info", async () => {
  const world = new PaperWorld();
  await live(world, async (time) => {
    await time.run(1000);
    world.cores = 4;
    await time.run(300_000);
  });
  assertEquals(world.infos.map((info) => info.cpu_cores), [2, 4]);
});

Deno.test("Agent.run() says once which tasks it skips, and again when they change", async () => {
  const world = new PaperWorld();
  world.tasks = { tasks: [], skipped: ["3 of type udp"] };
  const told = () => world.log.filter((line) => line.includes("Skipping")).length;
  await live(world, async (time) => {
    await time.run(61_000);
    assertEquals(told(), 1);
    world.tasks = { tasks: [], skipped: ["4 of type udp"] };
    await time.run(30_000);
    assertEquals(told(), 2);
  });
});

Deno.test("Agent.run() keeps the tasks when the list can't be had", async () => {
  const world = new PaperWorld();
  const task: ProbeTask = { id: 1, kind: "tcp", target: "a", intervalSeconds: 5 };
  world.tasks = { tasks: [task], skipped: [] };
  const parts = world.parts();
  let asked = 0;
  const fetchTasks = () => asked++ === 0 ? Promise.resolve(world.tasks) : Promise.reject(refused);
  const http = { ...parts.http, fetchTasks };
  world.parts = () => ({ ...parts, http });
  await live(world, async (time) => {
    await time.run(61_000);
  });
  assertEquals(asked, 3);
  assertEquals(world.updates, [[task]]);
});

Deno.test("Agent.run() ends soon, with what is under way given a moment to arrive", async () => {
  const world = new PaperWorld();
  const arrived: string[] = [];
  const arrival = Promise.withResolvers<void>();
  world.onResult = () => arrival.promise.then(() => void arrived.push("result"));
  await live(world, async (time) => {
    await time.run(10);
    world.deliver({ taskId: 1, kind: "tcp", valueMs: 3, finishedAt: new Date(0) });
    await time.run(1);
    queueMicrotask(() => arrival.resolve());
  });
  assertEquals(arrived, ["result"]);
});

Deno.test("Agent.run() handles the orders of the panel, also before its first report is accepted", async () => {
  const world = new PaperWorld();
  const held = Promise.withResolvers<void>();
  world.onReport = () => held.promise;
  const probe = { kind: "probe", taskId: 1, probe: "tcp", target: "h" } as const;
  const command = { kind: "command", taskId: "c", command: "id" } as const;
  const terminal = { kind: "terminal", requestId: "t", resumable: true } as const;
  const file = { kind: "file", requestId: "f", op: "list", args: {} } as const;
  const startupConfig = { kind: "startup config", requestId: "s" } as const;
  const switchVersion = { kind: "switch version", version: "latest" } as const;
  await live(world, async (time) => {
    world.order(probe);
    await time.run(300);
    world.order(command);
    world.order(terminal);
    world.order(file);
    world.order(startupConfig);
    world.order(switchVersion);
    for (let count = 0; count < 10_000; count++) world.order({ kind: "notice", text: "hello" });
    held.resolve();
  });
  assertEquals(world.obeyed, [
    { what: "probe", of: probe },
    { what: "control", of: command },
    { what: "control", of: terminal },
    { what: "control", of: file },
    { what: "control", of: startupConfig },
    { what: "control", of: switchVersion },
  ]);
  assertEquals(world.log.filter((line) => line.includes("The panel says: hello")).length, 1);
});

Deno.test("Agent.run() asks for tasks only while the panel does not order each run itself", async () => {
  const world = new PaperWorld();
  world.tasks = { tasks: [{ id: 1, kind: "tcp", target: "h", intervalSeconds: 5 }], skipped: [] };
  await live(world, async (time) => {
    await time.run(300);
    assertEquals(world.updates, [world.tasks.tasks]);
    world.moveTo(undefined);
    await time.run(60_000);
    assertEquals(world.updates.length, 1, "what was asked for goes on while nothing goes through");
    world.moveTo(V2_WEBSOCKET);
    await time.run(60_000);
    assertEquals(world.updates, [world.tasks.tasks, []], "the panel orders each run from now on");
    assertEquals(world.times("tasks").length, 1);
    world.moveTo(V1_POST);
    await time.run(0);
    assertEquals(world.updates.at(-1), world.tasks.tasks);
  });
});
