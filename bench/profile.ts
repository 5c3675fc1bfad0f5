/**
 * Where the CPU time of a report goes, in the real agent at its real pace: by stage and by thread.
 * `deno task profile` runs it; it judges nothing.
 *
 * @module
 */

import { startTestPanel } from "../tests/test_panel/test_panel.ts";
import { bundleProgram, RUN_FLAGS } from "./programs.ts";

const INTERVAL_SECONDS = 1;
/** The agent gives memory back ten seconds after its start. */
const WARM_UP = 20;
const REPORTS = 60;

type Totals = Record<string, { us: number; calls: number }>;

const folder = await Deno.makeTempDir();

/** CPU time of each thread of a process so far, in microseconds, and its context switches. */
function threads(pid: number): { name: string; us: number; switches: number }[] {
  return Array.from(Deno.readDirSync(`/proc/${pid}/task`), ({ name: thread }) => {
    const read = (file: string) => Deno.readTextFileSync(`/proc/${pid}/task/${thread}/${file}`);
    const [ranNs = "0"] = read("schedstat").split(" ");
    const switches = read("status").matchAll(/^(?:non)?voluntary_ctxt_switches:\s+(\d+)$/gm);
    return {
      name: thread === String(pid) ? "main thread" : read("comm").trim(),
      us: Number(ranNs) / 1e3,
      switches: Array.from(switches, ([, count]) => Number(count)).reduce((a, b) => a + b, 0),
    };
  });
}

/** Times the profiled agent: the threads from outside, the stages from inside. */
async function profile(program: string): Promise<void> {
  using panel = await openPanel();
  const child = start(program, panel);
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const totals = async (): Promise<Totals> => {
    child.kill("SIGUSR2");
    while (!text.includes("\n")) text += (await lines.read()).value ?? "\n";
    const [line = "", rest = ""] = text.split("\n", 2);
    text = rest;
    return JSON.parse(line);
  };
  await panel.reports(WARM_UP);
  const stagesBefore = await totals();
  const threadsBefore = threads(child.pid);
  await panel.reports(WARM_UP + REPORTS);
  const threadsAfter = threads(child.pid);
  const stages = await totals();

  console.log(`µs of CPU per report, one a second, over ${REPORTS} reports by WebSocket\n`);
  const sum = (all: typeof threadsAfter, name: string, field: "us" | "switches") =>
    all.filter((thread) => thread.name === name).reduce((total, it) => total + it[field], 0);
  const used = (name: string, field: "us" | "switches") =>
    (sum(threadsAfter, name, field) - sum(threadsBefore, name, field)) / REPORTS;
  for (const name of new Set(threadsAfter.map((thread) => thread.name))) {
    const us = used(name, "us");
    if (us < 0.5) continue;
    const switches = used(name, "switches").toFixed(1);
    console.log(`${name.padEnd(32)} ${us.toFixed(0).padStart(6)}   ${switches} switches`);
  }
  console.log();
  let inStages = 0;
  const perReport = Object.entries(stages).map(([stage, { us, calls }]) => ({
    stage,
    us: (us - (stagesBefore[stage]?.us ?? 0)) / REPORTS,
    calls: (calls - (stagesBefore[stage]?.calls ?? 0)) / REPORTS,
  }));
  for (const { stage, us, calls } of perReport.toSorted((a, b) => b.us - a.us)) {
    inStages += us;
    console.log(`${stage.padEnd(32)} ${us.toFixed(0).padStart(6)}   ${calls.toFixed(1)} calls`);
  }
  const rest = used("main thread", "us") - inStages;
  console.log(`${"wake-ups, event loop, promises".padEnd(32)} ${rest.toFixed(0).padStart(6)}`);
  child.kill("SIGTERM");
  await child.status;
}

async function openPanel() {
  const panel = await startTestPanel();
  return {
    url: panel.url,
    token: panel.token,
    reports: (count: number) => panel.state.until(({ counts }) => counts.reports >= count),
    [Symbol.dispose]: () => void panel.close(),
  };
}

function start(
  program: string,
  { url, token }: { url: string; token: string },
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", ...RUN_FLAGS, program],
      ...["-e", url, "-t", token, "--interval", String(INTERVAL_SECONDS), "--ip-services", "off"],
    ],
    // An agent of this machine may have the usual folder's health file.
    env: { RUNTIME_DIRECTORY: `${folder}/run` },
    stdout: "piped",
    stderr: "null",
  }).spawn();
}

try {
  const program = `${folder}/profiled_agent.js`;
  await bundleProgram("profiled_agent.ts", program);
  await profile(program);
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit();
