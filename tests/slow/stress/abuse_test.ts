import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { delay } from "@std/async/delay";
import { V8_FLAGS } from "../../../build/runtime_flags.ts";
import type { WireTask } from "../../../lib/demo/panel_state.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { PATIENCE_MS } from "../../patience.ts";
import { type FaultName, panelFault } from "../../test_panel/faults.ts";
import type { TestFault } from "../../test_panel/test_fault.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { UndisturbedTime } from "../../undisturbed_time.ts";
import { type SeenProcess, seeProcess } from "./seen_process.ts";

// A panel that says or orders what nobody should, or is silent, and an agent seen from outside.

/** One kind of abuse that an agent must survive. */
interface Abuse {
  readonly title: string;
  readonly args?: readonly string[];
  readonly tasks?: readonly WireTask[];
  readonly fault?: TestFault;
  /** Whether the tasks are there before the agent starts, as it asks for them rarely. */
  readonly fromTheStart?: boolean;
  /** Number of reports that must arrive while it lasts, one each half second. */
  readonly reports: number;
  /** Gap between reports that the fault causes by itself, such as a time-out. */
  readonly gapMs?: number;
  /** Whether the fault had its effect; without it the abuse proves nothing. */
  readonly occurred?: (panel: TestPanel) => boolean;
  /** Maximum number of log lines in a minute. */
  readonly lines?: number;
}

const TOKEN = "h0stile/token&=";
const INTERVAL_MS = 500;
/**
 * The fraction of the reports that must arrive under abuse while the ordinary agent sends its own and
 * neither the agent nor its panel waits for a processor. It is low because many busy agents share one
 * panel's process here: a report that waits for a task to end never arrives at all.
 */
const MIN_PACE = 0.25;
const SETTLED_REPORTS = 6;
const SAMPLE_MS = 100;
/** So much more memory than the ordinary agent has ever had, which is at its start; 4 MiB of output take 10. */
const MAX_MORE_MB = 64;
/** Memory afterwards, relative to that of the ordinary agent, which has returned its start's. */
const MAX_KEPT_RATIO = 2.2;
/** Connections for calls that are kept for the next one. */
const KEPT_CONNECTIONS = 4;
const MAX_LINES = 8;
/** Results of probes that were under way when their task was struck off the list. */
const LATE = /task_id is of no task/;

function startAgent(panel: TestPanel, args: readonly string[] = []): AgentProcess {
  const interval = `${INTERVAL_MS / 1000}`;
  return new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", interval, ...args], {
    runtime: [V8_FLAGS],
  });
}

/**
 * Tests abuses at the same time, each with a panel and an agent of its own, beside an agent that does a
 * little of everything for a well-behaved panel: it is the measure of memory and pace on this machine.
 *
 * One after another they would take minutes, since the engine returns memory only when it is ordinary.
 */
async function testAbuses(context: Deno.TestContext, abuses: readonly Abuse[]): Promise<void> {
  using panel = await startTestPanel({ token: TOKEN });
  panel.state.tasks = [
    { id: 1, type: "tcp", target: `127.0.0.1:${panel.port}`, name: "", interval: 1 },
    { id: 2, type: "http", target: panel.url, name: "", interval: 1 },
  ];
  await using agent = startAgent(panel, ["--enable-remote-control"]);
  await panel.state.until(({ counts }) => counts.reports > 0);
  panel.node.sendCommand("echo done");
  await panel.state.until(({ counts }) => counts.commandResults > 0 && counts.pingResults > 1);
  const outcomes = abuses.map((abuse) => testAbuse(abuse, { panel, pid: agent.pid }));
  // One that fails early is reported by its own step.
  await Promise.allSettled(outcomes);
  for (const [index, outcome] of outcomes.entries()) {
    await context.step(abuses[index]?.title ?? "", () => outcome);
  }
}

async function testAbuse(abuse: Abuse, ordinary: Ordinary): Promise<void> {
  const { title, fromTheStart = false, tasks = [] } = abuse;
  using panel = await startTestPanel({ token: TOKEN, tasks });
  await using agent = startAgent(panel, abuse.args);
  const { state } = panel;
  const { pid } = agent;
  try {
    const first = fromTheStart ? 1 : SETTLED_REPORTS;
    await state.until(({ counts }) => counts.basicInfos > 0 && counts.reports >= first);
    const [before, outputBefore, startMs] = [seeProcess(pid), agent.output.length, Date.now()];
    const reports = await reportsUnder(abuse, { panel, pid, ordinary });
    await panel.setFault(undefined);
    state.tasks = [];
    const { reports: all } = state.counts;
    await state.until(({ counts }) => counts.reports > all);
    await state.until(() => abuse.occurred?.(panel) ?? true);
    // The agent returns memory ten seconds after its start; the engine does when its heap has grown.
    const isBack = ({ residentMb, sockets, children }: SeenProcess) =>
      residentMb <= seeProcess(ordinary.pid).residentMb * MAX_KEPT_RATIO &&
      sockets <= before.sockets + KEPT_CONNECTIONS && children <= before.children;
    const settlingMs = performance.now();
    let left = seeProcess(pid);
    while (!isBack(left) && performance.now() - settlingMs < PATIENCE_MS) {
      await delay(SAMPLE_MS);
      left = seeProcess(pid);
    }
    const { residentMb: ordinaryMb, peakMb: ordinaryPeakMb } = seeProcess(ordinary.pid);
    const { peakMb } = seeProcess(pid);
    const { code } = await agent.stop();
    const lines = agent.output.slice(outputBefore).split("\n").filter((line) => line !== "");
    console.log(
      `stress: ${title}: ${reports} reports, at most ${peakMb.toFixed(1)} MB beside ` +
        `${ordinaryPeakMb.toFixed(1)}, then ${left.residentMb.toFixed(1)} beside ` +
        `${ordinaryMb.toFixed(1)}, ${lines.length} log lines`,
    );
    assertLessOrEqual(abuse.reports, reports, "reports keep their interval");
    assertLess(peakMb, ordinaryPeakMb + MAX_MORE_MB, "MB at the peak");
    assertLess(left.residentMb, ordinaryMb * MAX_KEPT_RATIO * 1.01, "MB afterwards");
    assertEquals(left.children, before.children, "no process is left");
    assertLessOrEqual(left.sockets, before.sockets + KEPT_CONNECTIONS, "no socket is left");
    const minutes = Math.ceil((Date.now() - startMs) / 60_000);
    assertLessOrEqual(lines.length, minutes * (abuse.lines ?? MAX_LINES), "few lines");
    for (const secret of [TOKEN, encodeURIComponent(TOKEN)]) assert(!agent.output.includes(secret));
    assertEquals(code, 0);
    const unexpected = state.violations.filter(({ text }) => !LATE.test(text));
    assertEquals(unexpected.slice(0, 3), [], "the contract is kept");
  } catch (cause) {
    throw new Error(`${title}; the agent's log:\n${agent.output}`, { cause });
  }
}

/** The agent beside, and its panel. */
interface Ordinary {
  readonly panel: TestPanel;
  readonly pid: number;
}

/** Sets the fault, waits for the reports that are due, or until the ordinary agent had enough time, and counts. */
async function reportsUnder(
  { reports: due, fault, gapMs = 0 }: Abuse,
  { panel, pid, ordinary }: { panel: TestPanel; pid: number; ordinary: Ordinary },
): Promise<number> {
  const { reports } = panel.state.counts;
  if (fault !== undefined) await panel.setFault(fault);
  const limit = new AbortController();
  const enough = due === 0
    ? new Promise<never>(() => {})
    : panel.state.until(({ counts }) => counts.reports >= reports + due, limit);
  const timeUp = (async () => {
    await delay(gapMs, limit);
    const { state } = ordinary.panel;
    const sent = state.counts.reports + Math.ceil(due / MIN_PACE);
    const endMs = performance.now() + PATIENCE_MS;
    const time = new UndisturbedTime(pid);
    const isOver = () =>
      state.counts.reports >= sent && time.ms >= due / MIN_PACE * INTERVAL_MS ||
      performance.now() > endMs;
    while (!isOver()) await delay(SAMPLE_MS, limit);
  })();
  await Promise.race([enough, timeUp]);
  limit.abort();
  await timeUp.catch(() => {});
  return panel.state.counts.reports - reports;
}

/** As many as a list of a MiB can hold: no longer one is read. */
const TASKS = 8_000;
/** Orders over a WebSocket that are taken for certain: 200 at once and 50 a second, no more. */
const TAKEN_ORDERS = 150;
/** Nothing listens there. */
const CLOSED = "127.0.0.1:1";
const CONTROLLED = ["--enable-remote-control", "--exec-timeout", "0.1"];
const OVER_HTTP = ["--protocol-version", "1"];

function tasks(target: string, { count = TASKS, interval = 1 } = {}): WireTask[] {
  const task = { name: "", type: "tcp", target, interval };
  return Array.from({ length: count }, (_, index) => ({ ...task, id: index + 1 }));
}

/** An address that swallows whoever knocks: no answer comes to a SYN, as behind a firewall. */
async function openBlackHole(): Promise<{ port: number } & Disposable> {
  const hostname = "127.0.0.1";
  const listener = Deno.listen({ hostname, port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  // The kernel takes one more than it was told.
  const waiting = [await Deno.connect({ hostname, port }), await Deno.connect({ hostname, port })];
  return {
    port,
    [Symbol.dispose]() {
      listener.close();
      for (const connection of waiting) connection.close();
    },
  };
}

Deno.test("the agent keeps pace and size under orders without measure", async (context) => {
  using hole = await openBlackHole();
  const listed = { args: OVER_HTTP, fromTheStart: true, reports: 12 };
  await testAbuses(context, [
    {
      title: "ping-flood",
      fault: panelFault("ping-flood"),
      // They only make the results of the fault's own orders known.
      tasks: tasks(CLOSED, { count: 10_000, interval: 1_000_000 }),
      reports: 12,
      occurred: ({ state }) => state.counts.pingResults >= TAKEN_ORDERS,
    },
    {
      ...listed,
      title: "8,000 tasks of a closed port",
      tasks: tasks(CLOSED),
      occurred: ({ state }) => state.counts.pingResults >= 500,
    },
    {
      ...listed,
      title: "8,000 tasks that nothing answers",
      tasks: tasks(`127.0.0.1:${hole.port}`),
      occurred: ({ state }) => state.counts.pingResults >= 32,
    },
    {
      title: "exec-endless",
      args: CONTROLLED,
      fault: panelFault("exec-endless"),
      reports: 16,
      occurred: ({ state }) => state.commandResults[0]?.value.exitCode === 124,
    },
  ]);
});

/** So long a WebSocket may be mute before it is given up. */
const SILENCE_MS = 10_000;

/** What comes over WebSockets alone, while POST works. */
function overSockets(name: FaultName): Abuse {
  const fault = panelFault(name, { calls: ["upgrade"] });
  return { title: `${name} over WebSockets`, fault, reports: 12, lines: 10 };
}

Deno.test("the agent withstands a panel that is huge, malformed or mute", async (context) => {
  await testAbuses(context, [
    overSockets("huge-message"),
    overSockets("bomb"),
    {
      title: "garbage-message everywhere",
      fault: panelFault("garbage-message"),
      reports: 4,
      lines: 12,
      gapMs: 4000,
    },
    { title: "mute", fault: panelFault("mute"), reports: 8, gapMs: SILENCE_MS + 2000 },
    { title: "silence", fault: panelFault("silence"), reports: 0, gapMs: SILENCE_MS + 4000 },
  ]);
});
