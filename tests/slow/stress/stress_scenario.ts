import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { delay } from "@std/async/delay";
import { V8_FLAGS } from "../../../build/runtime_flags.ts";
import type { WireTask } from "../../../lib/demo/panel_state.ts";
import type { TestFault } from "../../test_panel/test_fault.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { residentMb, type SeenProcess, seeProcess } from "./seen_process.ts";
import { PATIENCE_MS } from "../../patience.ts";
import { UndisturbedTime } from "../../undisturbed_time.ts";

/** One kind of abuse that an agent must survive. */
export interface StressScenario {
  readonly title: string;
  readonly args?: readonly string[];
  readonly tasks?: readonly WireTask[];
  readonly fault?: TestFault;
  /** Whether the fault is set before the agent starts, because what it affects is called rarely. */
  readonly fromTheStart?: boolean;
  /** Number of reports that must arrive while it lasts, one each half second. */
  readonly reports: number;
  /** Gap between reports that the fault causes by itself, such as a time-out. */
  readonly gapMs?: number;
  /** Whether the fault had its effect; without it the scenario proves nothing. */
  readonly occurred?: (panel: TestPanel) => boolean;
  /** Contract violations that the scenario causes by itself. */
  readonly violations?: RegExp;
  /** Maximum number of log lines in a minute. */
  readonly lines?: number;
}

/** Measurements of an agent under stress, and of an ordinary agent at the same time. */
export interface Outcome {
  readonly scenario: StressScenario;
  readonly panel: Pick<TestPanel, "state">;
  readonly reports: number;
  readonly tookMs: number;
  readonly medianGapMs: number;
  readonly longestGapMs: number;
  readonly peakMb: number;
  readonly ordinaryPeakMb: number;
  /** Memory after the stress has ended. */
  readonly keptMb: number;
  readonly ordinaryMb: number;
  readonly backMs: number;
  readonly sockets: number;
  readonly children: number;
  readonly lines: readonly string[];
  /** The minutes in which these were written, the last of them begun. */
  readonly minutes: number;
  readonly output: string;
  readonly stopped: { readonly code: number };
}

const TOKEN = "h0stile/token&=";
const INTERVAL_MS = 500;
/**
 * The fraction of the reports that must arrive under stress while the ordinary agent sends its own and
 * neither the agent nor its panel waits for a processor. It is low because many busy agents share one
 * panel's process here: a report that waits for a task to end never arrives at all.
 */
const MIN_PACE = 0.25;
const SETTLED_REPORTS = 6;
const SAMPLE_MS = 100;
/** Peak memory relative to the ordinary agent's; an unbounded buffer takes several times more. */
const MAX_PEAK_RATIO = 2;
/** Memory after the stress, relative to that of the ordinary agent, which has returned its start's. */
const MAX_KEPT_RATIO = 2.2;
/** The agent returns memory ten seconds after its start; the engine does when its heap has grown. */
const SETTLES_WITHIN_MS = PATIENCE_MS;
/** Connections for calls that are kept for the next one. */
const KEPT_CONNECTIONS = 4;
const MAX_LINES = 8;

/**
 * An agent that does a little of everything for a well-behaved panel: the baseline for memory and
 * pace on this machine at this moment.
 */
class OrdinaryAgent implements AsyncDisposable {
  readonly #panel: TestPanel;
  readonly #agent: AgentProcess;

  private constructor(panel: TestPanel, agent: AgentProcess) {
    this.#panel = panel;
    this.#agent = agent;
  }

  static async start(): Promise<OrdinaryAgent> {
    const panel = await startTestPanel({ token: TOKEN });
    const common = { name: "", interval: 1 };
    panel.state.tasks = [
      { id: 1, type: "tcp", target: `127.0.0.1:${panel.port}`, ...common },
      { id: 2, type: "http", target: panel.url, ...common },
    ];
    const agent = new OrdinaryAgent(panel, startAgent(panel, ["--enable-remote-control"]));
    try {
      await within(
        "an ordinary report",
        (options) => panel.state.until(({ counts }) => counts.reports > 0, options),
      );
      panel.node.sendCommand("echo done");
      await within(
        "an ordinary result",
        (options) =>
          panel.state.until(
            ({ counts }) => counts.commandResults > 0 && counts.pingResults > 1,
            options,
          ),
      );
      return agent;
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      throw error;
    }
  }

  get residentMb(): number {
    return residentMb(this.#agent.pid);
  }

  /** Waits until it has sent so many more reports. */
  async reports(count: number, options: { signal: AbortSignal }): Promise<void> {
    const { reports } = this.#panel.state.counts;
    await this.#panel.state.until(({ counts }) => counts.reports >= reports + count, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent[Symbol.asyncDispose]();
    await this.#panel.close();
  }
}

function startAgent(panel: TestPanel, args: readonly string[] = []): AgentProcess {
  const interval = `${INTERVAL_MS / 1000}`;
  return new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", interval, ...args], {
    runtime: [V8_FLAGS],
  });
}

/**
 * Runs scenarios at the same time, each with a panel and an agent of its own and all beside one
 * ordinary agent, and makes a step of each.
 *
 * One after another they would take minutes, since the engine returns memory only when it is ordinary.
 */
export async function runScenarios(
  context: Deno.TestContext,
  scenarios: readonly StressScenario[],
): Promise<void> {
  await using ordinary = await OrdinaryAgent.start();
  const outcomes = scenarios.map((scenario) => ({ scenario, outcome: run(scenario, ordinary) }));
  // A scenario that fails early is reported by its own step.
  await Promise.allSettled(outcomes.map(({ outcome }) => outcome));
  for (const { scenario, outcome } of outcomes) {
    await context.step(scenario.title, async () => assertSurvived(await outcome));
  }
}

async function run(scenario: StressScenario, ordinary: OrdinaryAgent): Promise<Outcome> {
  const { fault, fromTheStart = false } = scenario;
  const panel = await startTestPanel({
    token: TOKEN,
    tasks: scenario.tasks ?? [],
    ...(fault !== undefined && fromTheStart ? { fault } : {}),
  });
  await using agent = startAgent(panel, scenario.args);
  const { state } = panel;
  try {
    await within(
      "the first reports",
      (options) =>
        state.until(
          ({ counts }) =>
            counts.basicInfos > 0 && counts.reports >= (fromTheStart ? 1 : SETTLED_REPORTS),
          options,
        ),
    );
    const before = seeProcess(agent.pid);
    const outputBefore = agent.output.length;
    const startMs = performance.now();
    let peakMb = before.residentMb;
    let ordinaryPeakMb = ordinary.residentMb;
    const sampling = setInterval(() => {
      peakMb = Math.max(peakMb, residentMb(agent.pid));
      ordinaryPeakMb = Math.max(ordinaryPeakMb, ordinary.residentMb);
    }, SAMPLE_MS);
    try {
      const pace = await measurePace(panel, { scenario, ordinary, pid: agent.pid });
      const clearedAtMs = performance.now();
      const { reports } = state.counts;
      await panel.setFault(undefined);
      state.tasks = [];
      await within(
        "a report after it",
        (options) => state.until(({ counts }) => counts.reports > reports, options),
      );
      const backMs = performance.now() - clearedAtMs;
      await within(
        "its effect",
        (options) => state.until(() => scenario.occurred?.(panel) ?? true, options),
      );
      const left = await settled(agent.pid, {
        maxMb: () => ordinary.residentMb * MAX_KEPT_RATIO,
        maxSockets: before.sockets + KEPT_CONNECTIONS,
        maxChildren: before.children,
      });
      const ordinaryMb = ordinary.residentMb;
      clearInterval(sampling);
      const stopped = await agent.stop();
      return {
        scenario,
        panel,
        ...pace,
        backMs,
        peakMb,
        ordinaryPeakMb,
        keptMb: left.residentMb,
        ordinaryMb,
        sockets: left.sockets - before.sockets,
        children: left.children - before.children,
        lines: agent.output.slice(outputBefore).split("\n").filter((line) => line !== ""),
        minutes: Math.ceil((performance.now() - startMs) / 60_000),
        output: agent.output,
        stopped,
      };
    } finally {
      clearInterval(sampling);
    }
  } catch (cause) {
    throw new Error(`Cannot measure ${scenario.title}; the agent's log:\n${agent.output}`, {
      cause,
    });
  } finally {
    panel.close();
  }
}

/** Waits for an event that must occur; the error names it when it has not. */
async function within(
  event: string,
  until: (options: { signal: AbortSignal }) => Promise<void>,
): Promise<void> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error(`Cannot see ${event}`)), PATIENCE_MS);
  try {
    await until(late);
  } finally {
    clearTimeout(timer);
  }
}

/** Sets the fault and waits for the reports that are due, or until the ordinary agent had enough time. */
async function measurePace(
  panel: TestPanel,
  { scenario, ordinary, pid }: {
    scenario: StressScenario;
    ordinary: OrdinaryAgent;
    pid: number;
  },
) {
  const { state } = panel;
  const { reports: due, fault, gapMs = 0 } = scenario;
  const { reports } = state.counts;
  const startedAt = Date.now();
  if (fault !== undefined) await panel.setFault(fault);
  const limit = new AbortController();
  const enough = due === 0
    ? new Promise<never>(() => {})
    : state.until(({ counts }) => counts.reports >= reports + due, limit);
  const timeUp = delay(gapMs, limit).then(async () => {
    const undisturbed = undisturbedTime(pid, due / MIN_PACE * INTERVAL_MS, limit);
    await Promise.all([ordinary.reports(Math.ceil(due / MIN_PACE), limit), undisturbed]);
  });
  await Promise.race([enough, timeUp]);
  limit.abort();
  await timeUp.catch(() => {});
  const received = state.counts.reports - reports;
  const timesMs = state.reports.slice(state.reports.length - received).map(({ atMs }) => atMs);
  const gapsMs = timesMs.map((atMs, index) => atMs - (timesMs[index - 1] ?? startedAt));
  const sorted = gapsMs.toSorted((a, b) => a - b);
  return {
    reports: received,
    tookMs: Date.now() - startedAt,
    medianGapMs: sorted[sorted.length >> 1] ?? Infinity,
    longestGapMs: sorted.at(-1) ?? Infinity,
  };
}

/** Waits for so much time in which neither a process nor this thread waits for a processor. */
async function undisturbedTime(
  pid: number,
  ms: number,
  options: { signal: AbortSignal },
): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  for (const time = new UndisturbedTime(pid); time.ms < ms && performance.now() < endMs;) {
    await delay(SAMPLE_MS, options);
  }
}

/** Polls the process until it is within the limits, or the time for it is over. */
async function settled(
  pid: number,
  limits: { maxMb: () => number; maxSockets: number; maxChildren: number },
): Promise<SeenProcess> {
  const startedAtMs = performance.now();
  for (;;) {
    const process = seeProcess(pid);
    const isBack = process.residentMb <= limits.maxMb() &&
      process.sockets <= limits.maxSockets && process.children <= limits.maxChildren;
    if (isBack || performance.now() - startedAtMs > SETTLES_WITHIN_MS) return process;
    await delay(SAMPLE_MS);
  }
}

/** Prints the measurements and checks them. */
function assertSurvived(outcome: Outcome): void {
  const { scenario, output, lines } = outcome;
  console.log(summary(outcome));
  assertLessOrEqual(scenario.reports, outcome.reports, `reports keep their interval\n${output}`);
  assertLess(outcome.peakMb, outcome.ordinaryPeakMb * MAX_PEAK_RATIO, "MB at the peak");
  assertLess(outcome.keptMb, outcome.ordinaryMb * MAX_KEPT_RATIO * 1.01, "MB afterwards");
  assertEquals(outcome.children, 0, "no process is left");
  assertLessOrEqual(outcome.sockets, KEPT_CONNECTIONS, "no socket is left");
  const maxLines = outcome.minutes * (scenario.lines ?? MAX_LINES);
  assertLessOrEqual(lines.length, maxLines, lines.join("\n"));
  assert(!output.includes(TOKEN), "no token");
  assert(!output.includes(encodeURIComponent(TOKEN)), "no encoded token");
  assertEquals(outcome.stopped.code, 0, output);
  const { violations } = outcome.panel.state;
  const unexpected = violations.filter(({ text }) => scenario.violations?.test(text) !== true);
  assertEquals(unexpected.slice(0, 3), [], "the contract is kept");
}

function summary(outcome: Outcome): string {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  const ratio = (mb: number, ordinaryMb: number) =>
    `${mb.toFixed(1)} MB (${(mb / ordinaryMb).toFixed(2)} of an ordinary agent's)`;
  return [
    `stress: ${outcome.scenario.title}: ${outcome.reports} reports in ${seconds(outcome.tookMs)}`,
    `gaps of ${outcome.medianGapMs} ms, at most ${outcome.longestGapMs} ms`,
    `at most ${ratio(outcome.peakMb, outcome.ordinaryPeakMb)}`,
    `afterwards ${ratio(outcome.keptMb, outcome.ordinaryMb)}`,
    `${outcome.lines.length} log lines`,
    `back after ${seconds(outcome.backMs)}`,
    `${outcome.children} processes and ${outcome.sockets} sockets more`,
  ].join(", ");
}
