import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { delay } from "@std/async/delay";
import project from "../../deno.json" with { type: "json" };
import type { Fault } from "../../lib/demo/fault.ts";
import { type StandInPanel, startStandInPanel } from "../../lib/demo/stand_in_panel.ts";
import type { WireTask } from "../../lib/demo/wire_task.ts";
import { AgentProcess } from "./agent_process.ts";
import { residentMb, type SeenProcess, seeProcess } from "./seen_process.ts";

/** What an agent has to stand. */
export interface Ordeal {
  readonly title: string;
  readonly args?: readonly string[];
  readonly tasks?: readonly WireTask[];
  readonly fault?: Fault;
  /** Whether the fault is there from the start, since it strikes what is asked for but rarely. */
  readonly fromTheStart?: boolean;
  /** Reports that are due while it lasts, a half second each; fewer are let through by it. */
  readonly reports: number;
  /** The gap that the fault makes by itself before reports go on, such as a time-out. */
  readonly gapMs?: number;
  /** What has to be seen of it, or else it was none. */
  readonly struck?: (panel: StandInPanel) => boolean;
  /** The most that memory may grow. */
  readonly growsMb?: number;
  /** What its first use costs for good, such as the runtime's own client of HTTP. */
  readonly keepsMb?: number;
  /** What the contract forbids and the ordeal itself brings about. */
  readonly violations?: RegExp;
  /** The most lines that it may take to tell of it. */
  readonly lines?: number;
}

/** How an agent has stood it. */
export interface Outcome {
  readonly ordeal: Ordeal;
  readonly panel: Pick<StandInPanel, "state">;
  readonly reports: number;
  readonly tookMs: number;
  readonly medianGapMs: number;
  readonly longestGapMs: number;
  readonly grewMb: number;
  /** What is left of the growth when it is over. */
  readonly keptMb: number;
  readonly backMs: number;
  readonly sockets: number;
  readonly children: number;
  readonly lines: readonly string[];
  readonly output: string;
  readonly stopped: { readonly code: number; readonly tookMs: number };
}

const TOKEN = "h0stile/token&=";
const INTERVAL_MS = 500;
/** A loaded machine may be so much slower before the agent is to blame. */
const SLACK = 0.7;
const SETTLED_REPORTS = 6;
const SAMPLE_MS = 100;
const GROWTH_LIMIT_MB = 20;
/** Two starts of an agent that nothing happens to differ by less. */
const COMES_BACK_MB = 5;
/** The engine gives memory back when it finds the time, every half minute at the latest. */
const COMES_BACK_WITHIN_MS = 60_000;
/** What has not come by then never will. */
const SEEN_WITHIN_MS = 60_000;
/** Connections for calls that are kept for the next one. */
const KEPT_CONNECTIONS = 4;
/** What an operator may be expected to read. */
const LINES = 8;

/** What the agent is started with, by the README and by the task of that name. */
const V8_FLAGS: readonly string[] = project.tasks.start.match(/--v8-flags=\S+/g) ?? [];

/** Lets an agent report to a panel, does to it what the ordeal says, and measures. */
export async function undergo(ordeal: Ordeal): Promise<Outcome> {
  const { fault, fromTheStart = false } = ordeal;
  const panel = await startStandInPanel({
    port: 0,
    token: TOKEN,
    tasks: ordeal.tasks ?? [],
    ...(fault !== undefined && fromTheStart ? { fault } : {}),
  });
  const args = ["-e", panel.url, "-t", TOKEN, "-i", `${INTERVAL_MS / 1000}`, ...ordeal.args ?? []];
  await using agent = new AgentProcess(args, { runtime: V8_FLAGS });
  const { state } = panel;
  try {
    await seen("a start", (options) =>
      state.until(
        ({ counts }) =>
          counts.basicInfos > 0 && (fromTheStart || counts.reports >= SETTLED_REPORTS),
        options,
      ));
    const before = seeProcess(agent.pid);
    const toldBefore = agent.output.length;
    let peakMb = before.residentMb;
    const sampling = setInterval(() => {
      peakMb = Math.max(peakMb, residentMb(agent.pid));
    }, SAMPLE_MS);
    try {
      const pace = await paceUnder(panel, ordeal);
      const clearedAtMs = performance.now();
      const { reports } = state.counts;
      await panel.setFault(undefined);
      state.tasks = [];
      await seen(
        "a return",
        (options) => state.until(({ counts }) => counts.reports > reports, options),
      );
      const backMs = performance.now() - clearedAtMs;
      await seen(
        "a trace of it",
        (options) => state.until(() => ordeal.struck?.(panel) ?? true, options),
      );
      const { residentMb: mb, ...left } = await whenBack(agent.pid, {
        residentMb: before.residentMb + COMES_BACK_MB + (ordeal.keepsMb ?? 0),
        sockets: before.sockets + KEPT_CONNECTIONS,
        children: before.children,
      });
      clearInterval(sampling);
      const stopped = await agent.stop();
      return {
        ordeal,
        panel,
        ...pace,
        backMs,
        grewMb: peakMb - before.residentMb,
        keptMb: mb - before.residentMb,
        sockets: left.sockets - before.sockets,
        children: left.children - before.children,
        lines: agent.output.slice(toldBefore).split("\n").filter((line) => line !== ""),
        output: agent.output,
        stopped,
      };
    } finally {
      clearInterval(sampling);
    }
  } catch (cause) {
    throw new Error(`Cannot measure ${ordeal.title}; the agent says:\n${agent.output}`, { cause });
  } finally {
    await panel.close();
  }
}

/** Waits for what must come sooner or later; says what it was when it has not come. */
async function seen(
  what: string,
  until: (options: { signal: AbortSignal }) => Promise<void>,
): Promise<void> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error(`Cannot see ${what}`)), SEEN_WITHIN_MS);
  try {
    await until(late);
  } finally {
    clearTimeout(timer);
  }
}

/** Strikes, and waits until the reports that are due have come, or should have long ago. */
async function paceUnder(panel: StandInPanel, ordeal: Ordeal) {
  const { state } = panel;
  const { reports: due, fault, gapMs = 0 } = ordeal;
  const { reports } = state.counts;
  const startedAt = Date.now();
  if (fault !== undefined) await panel.setFault(fault);
  const limit = new AbortController();
  const limitMs = gapMs + due * INTERVAL_MS / SLACK;
  const enough = due === 0
    ? new Promise<never>(() => {})
    : state.until(({ counts }) => counts.reports >= reports + due, limit);
  const timeUp = delay(limitMs, limit);
  await Promise.race([enough, timeUp]);
  limit.abort();
  await timeUp.catch(() => {});
  const came = state.counts.reports - reports;
  const timesMs = state.reports.slice(state.reports.length - came).map(({ atMs }) => atMs);
  const gapsMs = timesMs.map((atMs, index) => atMs - (timesMs[index - 1] ?? startedAt));
  const sorted = gapsMs.toSorted((a, b) => a - b);
  return {
    reports: came,
    tookMs: Date.now() - startedAt,
    medianGapMs: sorted[sorted.length >> 1] ?? Infinity,
    longestGapMs: sorted.at(-1) ?? Infinity,
  };
}

/** Looks at the process until it holds no more than that, or has had every chance to. */
async function whenBack(pid: number, most: SeenProcess): Promise<SeenProcess> {
  const startedAtMs = performance.now();
  for (;;) {
    const look = seeProcess(pid);
    const isBack = look.residentMb <= most.residentMb && look.sockets <= most.sockets &&
      look.children <= most.children;
    if (isBack || performance.now() - startedAtMs > COMES_BACK_WITHIN_MS) return look;
    await delay(SAMPLE_MS);
  }
}

/** Fails when an agent has not stood it, and prints what was measured. */
export function assertStood(outcome: Outcome): void {
  const { ordeal, output, lines } = outcome;
  console.log(inWords(outcome));
  assertLessOrEqual(ordeal.reports, outcome.reports, `reports keep their interval\n${output}`);
  assertLess(outcome.grewMb, ordeal.growsMb ?? GROWTH_LIMIT_MB, "MB more at the peak");
  assertLess(outcome.keptMb, COMES_BACK_MB + (ordeal.keepsMb ?? 0) + 0.1, "MB more afterwards");
  assertEquals(outcome.children, 0, "no process is left");
  assertLessOrEqual(outcome.sockets, KEPT_CONNECTIONS, "no socket is left");
  assertLessOrEqual(lines.length, ordeal.lines ?? LINES, lines.join("\n"));
  assert(!output.includes(TOKEN), "no token");
  assert(!output.includes(encodeURIComponent(TOKEN)), "no token in any spelling");
  assertEquals(outcome.stopped.code, 0, output);
  const { violations } = outcome.panel.state;
  const unexpected = violations.filter(({ text }) => ordeal.violations?.test(text) !== true);
  assertEquals(unexpected.slice(0, 3), [], "the contract is kept");
}

function inWords(outcome: Outcome): string {
  const mb = (value: number) => `${value < 0 ? "" : "+"}${value.toFixed(1)} MB`;
  return [
    `hostile: ${outcome.ordeal.title}: ${outcome.reports} reports in ` +
    `${(outcome.tookMs / 1000).toFixed(1)} s`,
    `gaps of ${outcome.medianGapMs} ms, at most ${outcome.longestGapMs} ms`,
    `${mb(outcome.grewMb)}, back to ${mb(outcome.keptMb)}`,
    `${outcome.lines.length} log lines`,
    `back after ${(outcome.backMs / 1000).toFixed(1)} s`,
    `${outcome.children} processes and ${outcome.sockets} sockets more`,
  ].join(", ");
}
