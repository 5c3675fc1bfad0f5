import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import type { ScrapedAgent } from "../../lib/agent/metrics_endpoint.ts";
import { openAgent, type OpenedAgent } from "../../lib/agent/open_agent.ts";
import { ReportTimer } from "../../lib/agent/report_timer.ts";
import { runAgent, runOpened } from "../../lib/agent/run_agent.ts";
import { supportedPlatform } from "../../lib/cli/command.ts";
import { type Config, resolveConfig } from "../../lib/config/config.ts";
import { DiskCollector } from "../../lib/metrics/disk.ts";
import { Sampler } from "../../lib/metrics/snapshot.ts";
import type { Problem } from "../../lib/state/health_file.ts";
import { readHealth } from "../../lib/state/health_reader.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { writeRecordedMachine } from "../metrics/recorded_machine.ts";
import { realDeadline } from "../real_deadline.ts";
import { replaced } from "../replaced.ts";
import { TempFolder } from "../temp_folder.ts";
import { V2_WEBSOCKET } from "../panel/transports.ts";
import { startTestPanel, type TestPanel } from "../test_panel/test_panel.ts";
import { testsWith } from "../tests_with.ts";

const discoveryKey = "d1scovery-k3y";

interface Settings {
  readonly args?: readonly string[];
  readonly panels?: readonly { readonly endpoint: string; readonly token: string }[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A panel, and an agent that registers itself there, with a folder of its own. */
class Bench implements Disposable {
  readonly panel: TestPanel;
  readonly folder = new TempFolder();
  readonly ended = new AbortController();
  readonly #options = { ...supportedPlatform(), signal: this.ended.signal, secrets: [] };

  constructor(panel: TestPanel) {
    this.panel = panel;
  }

  #config({ args = [], panels = [], env = {} }: Settings): Config {
    return resolveConfig({
      args: ["--auto-discovery", discoveryKey, "--ip-services", "off", "-i", "0.2", ...args],
      env: {
        ...{ ...env, AGENT_ENDPOINT: this.panel.url, AGENT_PANELS: JSON.stringify(panels) },
        RUNTIME_DIRECTORY: `${this.folder.path}/run`,
        AGENT_STATE_DIR: `${this.folder.path}/state`,
      },
      readText: () => "",
      readMode: () => undefined,
    });
  }

  /** Opens the agent in this process, which must not be sealed. */
  open(settings: Settings): Promise<OpenedAgent> {
    return openAgent(this.#config(settings), this.#options);
  }

  run(settings: Settings): Promise<void> {
    return runAgent(this.#config(settings), this.#options);
  }

  problems(): readonly Problem[] {
    return readHealth([`${this.folder.path}/run`])?.problems ?? [];
  }

  [Symbol.dispose](): void {
    using _folder = this.folder;
    using _panel = this.panel;
  }
}

const withBench = testsWith(async () => new Bench(await startTestPanel({ discoveryKey })), {
  ignore: Deno.build.os !== "linux",
});

/** Work that goes on until it is told to end, and some turns longer. */
class Work {
  readonly collectors = [];
  hasEnded = false;

  async run(signal: AbortSignal): Promise<void> {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    for (let turn = 0; turn < 10; turn++) await realTurn();
    this.hasEnded = true;
  }
}

withBench.test("runOpened() gives the machine its shell, tells the registration how calls end, hides its token, and waits for the rest", async (bench) => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using agent = await bench.open({ args: ["--metrics", `127.0.0.1:${taken.addr.port}`] });
  const { machine, registration, shell } = agent;
  const told: unknown[] = [];
  machine.useShell = (given) => void told.push(given);
  agent.names.onSealed = () => void told.push("sealed");
  const outcomes: unknown[] = [];
  if (registration !== undefined) registration.onOutcome = (error) => void outcomes.push(error);
  agent.health?.setProblem("registration", "not yet");
  const traffic = new Work();
  const running = runOpened({ ...agent, traffic }, undefined);
  await bench.panel.state.until(({ counts }) => counts.reports >= 3);
  bench.ended.abort();
  await running;
  assertEquals(told, [shell, "sealed"], "the runtime may resolve names from now on");
  assertEquals(outcomes.slice(0, 1), [undefined]);
  // The token is new, so the health file was opened without it.
  assert(registration?.token);
  agent.health?.setProblem("state", `lost ${registration.token}`);
  const problems = new Map(bench.problems().map(({ part, text }) => [part, text]));
  assertEquals(problems.get("state"), "lost …");
  assertEquals(problems.has("registration"), false, "it tells of itself");
  assertEquals(traffic.hasEnded, true);
});

withBench.test("runOpened() ends the rest when its reports end with an error", async (bench) => {
  await using agent = await bench.open({});
  assert(agent.registration !== undefined);
  agent.registration.find = () => Promise.reject(new Error("it was refused"));
  const traffic = new Work();
  const running = runOpened({ ...agent, traffic }, undefined);
  await assertRejects(() => realDeadline(running), Error, "it was refused");
  assertEquals(traffic.hasEnded, true);
});

/** CPU times since the boot. */
function cpuTimes(busy: number, idle: number): string {
  return `cpu  ${busy} 0 0 ${idle} 0 0 0 0 0 0\ncpu0 ${busy} 0 0 ${idle} 0 0 0 0 0 0\nbtime 1\n`;
}

withBench.test("runAgent() looks at the machine when slow parts have answered, and reports what was since", async (bench) => {
  const { panel, folder, ended } = bench;
  const HOST_PROC = writeRecordedMachine("amd-workstation", `${folder.path}/machine`);
  Deno.writeTextFileSync(`${HOST_PROC}/stat`, cpuTimes(100, 100));
  const steps: string[] = [];
  using _disks = replaced(DiskCollector.prototype, {
    async firstAnswers() {
      for (let turn = 0; turn < 10; turn++) await realTurn();
      steps.push("answered");
    },
  });
  const { sample } = Sampler.prototype;
  using _sampler = replaced(Sampler.prototype, {
    sample(this: Sampler) {
      const sampled = sample.call(this);
      steps.push("sampled");
      Deno.writeTextFileSync(`${HOST_PROC}/stat`, cpuTimes(400, 200));
      return sampled;
    },
    // As after a registration that took long.
    take(this: Sampler) {
      return this.sample();
    },
  });
  // So that it is not sealed.
  const running = bench.run({ args: ["--enable-remote-control"], env: { HOST_PROC } });
  await panel.state.until(({ counts }) => counts.reports >= 1);
  ended.abort();
  await running;
  assertEquals(steps.slice(0, 2), ["answered", "sampled"]);
  assertEquals(panel.state.reports[0]?.value.cpu?.usage, 75);
});

withBench.test("runOpened() asks for the public addresses through the proxy", async (bench) => {
  using proxy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const HTTP_PROXY = `http://127.0.0.1:${proxy.addr.port}`;
  await using agent = await bench.open({
    args: ["--ip-services", "http://127.0.0.1:9/"],
    env: { HTTP_PROXY, NO_PROXY: `127.0.0.1:${bench.panel.port}` },
  });
  const running = runOpened(agent, undefined);
  const bytes = new Uint8Array(64);
  try {
    using connection = await realDeadline(proxy.accept());
    await connection.read(bytes);
  } finally {
    bench.ended.abort();
    await running;
  }
  assertMatch(new TextDecoder().decode(bytes), /^\w+ (http:\/\/)?127\.0\.0\.1:9\b/);
});

const INTERVAL_MS = 500;

withBench.test("runOpened() reports to all panels at the same times, and gives the metrics what they show", async (bench) => {
  const late = bench.panel;
  using early = await startTestPanel();
  await using agent = await bench.open({
    panels: [{ endpoint: early.url, token: early.token }],
    args: ["-i", `${INTERVAL_MS / 1000}`, "--metrics", "127.0.0.1:0"],
  });
  const { metrics } = agent;
  early.state.tasks = [
    { id: 7, name: "p", type: "tcp", target: `127.0.0.1:${early.port}`, interval: 1 },
    { id: 8, name: "q", type: "icmp", target: "192.0.2.1", interval: 1 },
  ];
  assert(agent.shell !== undefined && metrics !== undefined);
  agent.shell.ping = () => Promise.resolve(undefined);
  const timers = new Set<ReportTimer>();
  const { start } = ReportTimer.prototype;
  using _timers = replaced(ReportTimer.prototype, {
    start(this: ReportTimer, ...how: Parameters<typeof start>) {
      timers.add(this);
      start.apply(this, how);
    },
  });
  const scraped: ScrapedAgent[] = [];
  metrics.run = (given) => (scraped.push(given), Promise.resolve());
  const { sampler } = agent;
  const taken: unknown[] = [];
  const take = sampler.take.bind(sampler);
  sampler.take = () => {
    const snapshot = take();
    taken.push(snapshot);
    return snapshot;
  };

  const running = runOpened(agent, undefined);
  for (const { state } of [late, early]) await state.until(({ counts }) => counts.reports >= 3);
  const isProbed = (id: number) =>
    early.state.pingResults.some(({ value: { taskId } }) => taskId === id);
  await early.state.until(() => isProbed(7) && isProbed(8));
  bench.ended.abort();
  await running;
  const [given] = scraped;
  assertEquals(given?.intervalMs, INTERVAL_MS);
  for (const part of ["machine", "sampler", "monitors", "releaseMemory"] as const) {
    assertStrictEquals<unknown>(given?.[part], agent[part]);
  }
  const isLost = early.state.pingResults.every(({ value: { valueMs } }) => valueMs === -1);
  assert(isLost, "it may not probe this machine, and has no ping");
  assert(bench.problems().some(({ part }) => part === "ping"));
  assert(new Set(taken).size < taken.length, "they share what was measured");
  assertEquals(timers.size, 2);
  using time = new FakeTime();
  const phases = Array.from(timers, (timer) => {
    let phaseMs = NaN;
    const report = () => Promise.resolve((phaseMs = performance.now() % INTERVAL_MS) > 0);
    timer.start(V2_WEBSOCKET, report);
    // Whenever each has started.
    time.tick(1_100);
    return () => Math.round(phaseMs);
  });
  time.tick(10 * INTERVAL_MS);
  assertEquals(phases[0]?.(), phases[1]?.());
  for (const timer of timers) timer.stop();
});
