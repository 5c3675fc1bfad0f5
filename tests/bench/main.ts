import project from "../../deno.json" with { type: "json" };
import { startStandInPanel } from "../../lib/demo/stand_in_panel.ts";
import { MeasuredProcess, median } from "./process_cost.ts";
import { snapshotMs, snapshotOverBareReading, snapshotWithCrowd } from "./snapshot_cost.ts";

// Ratios, each measured side by side in this one run: machines differ, and are never quiet.
// `deno task bench` runs it; nothing here fails by the clock.

const REPORTS = 200;
const WARM_UP = 30;
const INTERVAL_MS = 100;
const STARTS = 11;

/** What the agent is started with, by the README and by the task of that name. */
const V8_FLAGS: readonly string[] = project.tasks.start.match(/--v8-flags=\S+/g) ?? [];
const MAIN = new URL("../../main.ts", import.meta.url).pathname;

const here = (name: string) => new URL(name, import.meta.url).pathname;
const folder = await Deno.makeTempDir();
const bundle = `${folder}/komari-agent-deno.js`;

function say(what: string, ratio: number, aim: number, detail = ""): void {
  const verdict = ratio < aim ? "within" : "over";
  console.log(
    `${what.padEnd(62)} ${ratio.toFixed(2).padStart(6)}   ${verdict} the aim of ${aim}${
      detail && `   (${detail})`
    }`,
  );
}

async function bundleAgent(): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--minify", "--platform", "browser", "--output", bundle, MAIN],
    stdout: "null",
    stderr: "null",
  }).output();
  if (!success) throw new Error("Cannot bundle the agent");
}

/** Two panels, so that each program's reports are counted apart. */
async function startPanels() {
  return [await startStandInPanel({ port: 0 }), await startStandInPanel({ port: 0 })] as const;
}

/** How the agent reports, and the bare program that it is held against. */
interface Comparison {
  readonly by: string;
  readonly args: readonly string[];
  readonly aims: { readonly cpu: number; readonly resident: number; readonly anonymous: number };
  startBare(panel: { url: string; token: string }, report: string): MeasuredProcess;
}

const COMPARISONS: readonly Comparison[] = [
  {
    by: "POST",
    args: ["--protocol-version", "1"],
    aims: { cpu: 1.5, resident: 1.4, anonymous: 1.6 },
    startBare,
  },
  {
    by: "WebSocket",
    args: [],
    aims: { cpu: 1.3, resident: 1.35, anonymous: 1.6 },
    startBare({ url, token }, report) {
      const socket = `${url.replace("http:", "ws:")}/api/clients/v2/rpc?token=${token}`;
      const params = `{"report":${report}}`;
      const message = `{"jsonrpc":"2.0","method":"agent.report","params":${params},"id":1}`;
      return new MeasuredProcess([
        ...[...V8_FLAGS, here("bare_socket.ts"), socket, message, String(INTERVAL_MS)],
      ]);
    },
  },
];

async function runningCosts({ by, args, aims, startBare }: Comparison): Promise<void> {
  const [ours, theirs] = await startPanels();
  const idle = new MeasuredProcess([...V8_FLAGS, here("idle_program.ts")]);
  const agent = startAgent(ours, args);
  await ours.state.until((state) => state.counts.reports > 0);
  const bare = startBare(theirs, ours.state.reports[0]?.body ?? "");
  const counted = (panel: typeof ours, count: number) =>
    panel.state.until((state) => state.counts.reports >= count);
  await Promise.all([counted(ours, WARM_UP), counted(theirs, WARM_UP)]);
  const cost = async (process: MeasuredProcess, panel: typeof ours) => {
    const [cpuMs, reports] = [process.cpuMs(), panel.state.counts.reports];
    await counted(panel, reports + REPORTS);
    return (process.cpuMs() - cpuMs) / (panel.state.counts.reports - reports);
  };
  const [agentMs, bareMs] = await Promise.all([cost(agent, ours), cost(bare, theirs)]);
  const ms = `${agentMs.toFixed(2)} ms against ${bareMs.toFixed(2)} ms`;
  say(
    `CPU per report by ${by} / bare program that sends a fixed one`,
    agentMs / bareMs,
    aims.cpu,
    ms,
  );
  const [used, least, bareUse] = [agent.memory(), idle.memory(), bare.memory()];
  const mb = (kb: number) => (kb / 1024).toFixed(1);
  for (
    const [what, field, aim] of [
      ["resident memory", "residentKb", aims.resident],
      ["anonymous memory", "anonymousKb", aims.anonymous],
    ] as const
  ) {
    const all = `${mb(used[field])} MB against ${mb(least[field])} MB`;
    const ratio = used[field] / least[field];
    say(
      `${what} by ${by} / idle Deno program`,
      ratio,
      aim,
      `${all}; bare ${mb(bareUse[field])} MB`,
    );
  }
  await Promise.all([agent.end(), bare.end(), idle.end(), ours.close(), theirs.close()]);
}

/** An agent with two panels beside one with a single panel, over WebSocket. */
async function furtherPanelCosts(): Promise<void> {
  const [single, first, second] = await Promise.all(
    [0, 1, 2].map(() => startStandInPanel({ port: 0 })),
  );
  if (single === undefined || first === undefined || second === undefined) return;
  const one = startAgent(single);
  const two = startAgent(first, ["-e", second.url, "-t", second.token]);
  const panels = [single, first, second];
  const counted = (count: number) =>
    Promise.all(panels.map(({ state }) => state.until(({ counts }) => counts.reports >= count)));
  await counted(WARM_UP);
  const before = [one.cpuMs(), two.cpuMs()] as const;
  const reports = first.state.counts.reports;
  await counted(reports + REPORTS);
  const oneMs = one.cpuMs() - before[0];
  const twoMs = two.cpuMs() - before[1];
  const detail = `${(twoMs / REPORTS).toFixed(2)} ms with two against ${
    (oneMs / REPORTS).toFixed(2)
  } ms with one`;
  say("CPU of a further panel / of a single one", twoMs / oneMs - 1, 0.4, detail);
  const furtherMb = (two.memory().anonymousKb - one.memory().anonymousKb) / 1024;
  say("anonymous memory of a further panel, in MB", furtherMb, 2);
  await Promise.all([one.end(), two.end(), ...panels.map((panel) => panel.close())]);
}

function startAgent(
  panel: { url: string; token: string },
  args: readonly string[] = [],
): MeasuredProcess {
  return new MeasuredProcess([
    ...[...V8_FLAGS, bundle, "-e", panel.url, "-t", panel.token, ...args],
    ...["--interval", String(INTERVAL_MS / 1000), "--ip-services", "off"],
  ]);
}

function startBare(panel: { url: string; token: string }, body: string): MeasuredProcess {
  const url = `${panel.url}/api/clients/report?token=${panel.token}`;
  return new MeasuredProcess([
    ...[...V8_FLAGS, here("bare_reporter.ts"), url, body, String(INTERVAL_MS)],
  ]);
}

async function startCosts(): Promise<void> {
  const [ours, theirs] = await startPanels();
  const agentMs: number[] = [];
  const bareMs: number[] = [];
  const firstReport = async (panel: typeof ours, start: () => MeasuredProcess) => {
    const before = panel.state.counts.reports;
    const startedAt = performance.now();
    const process = start();
    await panel.state.until((state) => state.counts.reports > before);
    const tookMs = performance.now() - startedAt;
    await process.end();
    return tookMs;
  };
  // The first start of each fills the runtime's code cache, as the first start after an update does.
  for (let start = 0; start <= STARTS; start++) {
    const agent = await firstReport(ours, () => startAgent(ours));
    const body = ours.state.reports[0]?.body ?? "";
    const bare = await firstReport(theirs, () => startBare(theirs, body));
    if (start === 0) continue;
    agentMs.push(agent);
    bareMs.push(bare);
  }
  const ratios = agentMs.map((ms, index) => ms / (bareMs[index] ?? NaN));
  const detail = `${median(agentMs).toFixed(0)} ms against ${median(bareMs).toFixed(0)} ms`;
  say("start to first accepted report / that bare program", median(ratios), 2, detail);
  await Promise.all([ours.close(), theirs.close()]);
}

try {
  await bundleAgent();
  const detail = `${(snapshotMs() * 1000).toFixed(0)} µs`;
  say("one snapshot / bare re-reading of the same files", snapshotOverBareReading(), 2.5, detail);
  say("one snapshot with 10,000 connections / with none", await snapshotWithCrowd(), 1.05);
  // The starts come first: they fill the runtime's caches, so that the memory measured is that of a
  // machine which has started the agent before.
  await startCosts();
  for (const comparison of COMPARISONS) await runningCosts(comparison);
  await furtherPanelCosts();
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit();
