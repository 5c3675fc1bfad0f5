import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import type { ScrapedAgent } from "../../lib/agent/metrics_endpoint.ts";
import { openAgent } from "../../lib/agent/open_agent.ts";
import { ReportTimer } from "../../lib/agent/report_timer.ts";
import { runAgent, runOpened } from "../../lib/agent/run_agent.ts";
import { supportedPlatform } from "../../lib/cli/command.ts";
import { type Config, resolveConfig } from "../../lib/config/config.ts";
import { DiskCollector } from "../../lib/metrics/disk.ts";
import { Sampler } from "../../lib/metrics/snapshot.ts";
import { readHealth } from "../../lib/state/health_reader.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { writeRecordedMachine } from "../metrics/recorded_machine.ts";
import { realDeadline } from "../real_deadline.ts";
import { replaced } from "../replaced.ts";
import { TempFolder } from "../temp_folder.ts";
import { V2_WEBSOCKET } from "../panel/transports.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { onLinux } from "../only_on.ts";

const DISCOVERY_KEY = "d1scovery-k3y";

interface Registering {
  readonly panel: { readonly url: string };
  readonly folder: TempFolder;
  readonly args: readonly string[];
  readonly panels?: readonly { readonly endpoint: string; readonly token: string }[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The configuration of an agent that registers itself at a panel. */
function registering({ panel, folder, args, panels = [], env = {} }: Registering): Config {
  return resolveConfig({
    args: ["--auto-discovery", DISCOVERY_KEY, "--ip-services", "off", ...args],
    env: {
      ...env,
      AGENT_ENDPOINT: panel.url,
      AGENT_PANELS: JSON.stringify(panels),
      RUNTIME_DIRECTORY: `${folder.path}/run`,
      AGENT_STATE_DIR: `${folder.path}/state`,
    },
    readText: () => "",
    readMode: () => undefined,
  });
}

/** Opens it in this process, which must not be sealed. */
function openRegistering({ signal, ...agent }: Registering & { signal: AbortSignal }) {
  return openAgent(registering(agent), { ...supportedPlatform(), signal, secrets: [] });
}

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

onLinux.test("runOpened() gives the machine its shell, tells the registration how calls end, hides its token, and waits for the rest", async () => {
  using folder = new TempFolder();
  using panel = await startTestPanel({ discoveryKey: DISCOVERY_KEY });
  const ended = new AbortController();
  const { signal } = ended;
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const args = ["-i", "0.2", "--metrics", `127.0.0.1:${taken.addr.port}`];
  await using agent = await openRegistering({ panel, folder, signal, args });
  const { machine, registration, shell } = agent;
  let seals = 0;
  agent.names.onSealed = () => void seals++;
  const shells: unknown[] = [];
  machine.useShell = (given) => void shells.push(given);
  const outcomes: unknown[] = [];
  if (registration !== undefined) registration.onOutcome = (error) => void outcomes.push(error);
  agent.health?.setProblem("registration", "not yet");
  const traffic = new Work();
  const running = runOpened({ ...agent, traffic }, undefined);
  await panel.state.until(({ counts }) => counts.reports >= 3);
  ended.abort();
  await running;
  assertEquals(shells, [shell]);
  assertEquals(seals, 1, "the runtime may resolve names from now on");
  assertEquals(outcomes.slice(0, 1), [undefined]);
  // The token is new, so the health file was opened without it.
  assert(registration?.token);
  agent.health?.setProblem("state", `lost ${registration.token}`);
  const problems = readHealth([`${folder.path}/run`])?.problems;
  assertEquals(problems?.find(({ part }) => part === "state")?.text, "lost …");
  assertEquals(problems?.some(({ part }) => part === "registration"), false, "it tells of itself");
  assertEquals(traffic.hasEnded, true);
});

onLinux.test("runOpened() ends the rest when its reports end with an error", async () => {
  using folder = new TempFolder();
  using panel = await startTestPanel({ discoveryKey: DISCOVERY_KEY });
  const { signal } = new AbortController();
  await using agent = await openRegistering({ panel, folder, signal, args: [] });
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

onLinux.test("runAgent() looks at the machine when slow parts have answered, and reports what was since", async () => {
  using folder = new TempFolder();
  using panel = await startTestPanel({ discoveryKey: DISCOVERY_KEY });
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
  const ended = new AbortController();
  // So that it is not sealed.
  const args = ["-i", "0.2", "--enable-remote-control"];
  const config = registering({ panel, folder, args, env: { HOST_PROC } });
  const options = { ...supportedPlatform(), signal: ended.signal, secrets: [] };
  const running = runAgent(config, options);
  await panel.state.until(({ counts }) => counts.reports >= 1);
  ended.abort();
  await running;
  assertEquals(steps.slice(0, 2), ["answered", "sampled"]);
  assertEquals(panel.state.reports[0]?.value.cpu?.usage, 75);
});

onLinux.test("runOpened() asks for the public addresses through the proxy", async () => {
  using folder = new TempFolder();
  using panel = await startTestPanel({ discoveryKey: DISCOVERY_KEY });
  using proxy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const ended = new AbortController();
  await using agent = await openRegistering({
    ...{ panel, folder, signal: ended.signal },
    args: ["-i", "0.2", "--ip-services", "http://127.0.0.1:9/"],
    env: {
      HTTP_PROXY: `http://127.0.0.1:${proxy.addr.port}`,
      NO_PROXY: `127.0.0.1:${panel.port}`,
    },
  });
  const running = runOpened(agent, undefined);
  const bytes = new Uint8Array(64);
  let count = 0;
  try {
    using connection = await realDeadline(proxy.accept());
    count = await connection.read(bytes) ?? 0;
  } finally {
    ended.abort();
    await running;
  }
  assertMatch(
    new TextDecoder().decode(bytes.subarray(0, count)),
    /^\w+ (http:\/\/)?127\.0\.0\.1:9\b/,
  );
});

const INTERVAL_MS = 500;

onLinux.test("runOpened() reports to all panels at the same times, and gives the metrics what they show", async () => {
  using folder = new TempFolder();
  using late = await startTestPanel({ discoveryKey: DISCOVERY_KEY });
  using early = await startTestPanel();
  const ended = new AbortController();
  await using agent = await openRegistering({
    panel: late,
    panels: [{ endpoint: early.url, token: early.token }],
    folder,
    signal: ended.signal,
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
  metrics.run = (given) => {
    scraped.push(given);
    return Promise.resolve();
  };
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
  ended.abort();
  await running;
  const [given] = scraped;
  assertEquals(given?.intervalMs, INTERVAL_MS);
  for (const part of ["machine", "sampler", "monitors", "releaseMemory"] as const) {
    assertStrictEquals<unknown>(given?.[part], agent[part]);
  }
  const isLost = early.state.pingResults.every(({ value: { valueMs } }) => valueMs === -1);
  assert(isLost, "it may not probe this machine, and has no ping");
  const problems = readHealth([`${folder.path}/run`])?.problems;
  assert(problems?.some(({ part }) => part === "ping"));
  assert(new Set(taken).size < taken.length, "they share what was measured");
  assertEquals(timers.size, 2);
  using time = new FakeTime();
  const phases = Array.from(timers, (timer) => {
    let phaseMs = NaN;
    timer.start(
      V2_WEBSOCKET,
      () => Promise.resolve((phaseMs = performance.now() % INTERVAL_MS) > 0),
    );
    // Whenever each has started.
    time.tick(1_100);
    return () => Math.round(phaseMs);
  });
  time.tick(10 * INTERVAL_MS);
  assertEquals(phases[0]?.(), phases[1]?.());
  for (const timer of timers) timer.stop();
});
