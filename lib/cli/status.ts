/**
 * The command `status`: what the running agent does, by its health file, and its service.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { diagnosisLine, LOOK } from "../diagnosis/diagnose.ts";
import { isReportingTo, notReporting, verdictOn } from "../diagnosis/verdict.ts";
import type { PanelHealth } from "../state/health_file.ts";
import { type Health, readHealth, reportingWithinMs } from "../state/health_reader.ts";
import { duration, formatByteCount } from "../parse/quantity.ts";
import { agentFolders } from "../service/install_record.ts";
import type { ServiceState } from "../service/installed_service.ts";
import {
  agentProblems,
  isPaused,
  memoryOf,
  NO_AGENT,
  seenProblem,
  withLostTargets,
} from "../doctor/agent_problems.ts";
import type { Finding } from "../doctor/check.ts";
import type { CommandContext } from "./command.ts";
import { otherConfig } from "../doctor/agent.ts";
import { failedUpdate, findService } from "../doctor/found_service.ts";
import { wrapped } from "./doctor.ts";
import { judgeService } from "../doctor/service_state.ts";
import { healthProblem, tells } from "./health.ts";
import { padded } from "./layout.ts";
import { stateTrouble } from "../doctor/state_trouble.ts";
import { jsonText, terminalColumns } from "./output.ts";

/** Everything that `status` shows. */
export interface Status {
  readonly health: Health | undefined;
  /** Memory of the agent in bytes, `undefined` if unknown. */
  readonly memoryBytes: number | undefined;
  /** Whether a signal has stopped the agent, so that its health file is of the past. */
  readonly isPaused: boolean;
  /** `undefined` if it is not installed as a service. */
  readonly service: ServiceState & { readonly restarts?: number } | undefined;
  /** The result of the check of `doctor`. */
  readonly found: Finding;
  /** Why its state can't be kept, by a look at its folder; `undefined` where nothing is seen. */
  readonly stateTrouble?: string | undefined;
  /** Why the last update has failed; `undefined` where none has. */
  readonly updateError?: string | undefined;
  /** What is wrong in its configuration; `undefined` where nothing is. */
  readonly mistake?: string | undefined;
  /** That the configuration has other settings by now than the agent that runs. */
  readonly change?: string | undefined;
  readonly nowMs: number;
}

/** Columns of the names. */
const NAME_WIDTH = 14;

/** Prints the state of the agent; the exit code is 0 if its reports are accepted and nothing else is wrong. */
export async function runStatus(config: Config, context: CommandContext): Promise<number> {
  const { env, signal } = context;
  const health = readHealth(agentFolders(config, env));
  const running = health?.isRunning ? health : undefined;
  const found = await findService(config, { env, signal });
  const status: Status = {
    health,
    memoryBytes: running && memoryOf(running.pid),
    isPaused: running !== undefined && isPaused(running.pid),
    service: found.state && {
      ...found.state,
      // Of systemd alone.
      ...found.unit && { restarts: Number(found.unit.property("NRestarts")) },
    },
    found: judgeService(found, running),
    stateTrouble: running && seenProblem(running, "state") === undefined
      ? await stateTrouble(running)
      : undefined,
    updateError: await failedUpdate(found, { env, signal }),
    mistake: config.mistake,
    change: running && otherConfig(config, running),
    nowMs: Date.now(),
  };
  const layout = { columns: terminalColumns(env), inLanguage: context.inLanguage };
  context.print(config.json ? statusJson(status) : statusText(status, layout));
  return verdictsOf(status).every(({ isOk }) => isOk) ? 0 : 1;
}

/** The state for people. */
export function statusText(
  status: Status,
  { columns = Infinity, inLanguage = (text) => text }: {
    columns?: number;
    /** Puts the English of names and texts into the user's language. */
    inLanguage?: (english: string) => string;
  } = {},
): string {
  const {
    health,
    memoryBytes,
    isPaused,
    found,
    stateTrouble,
    updateError,
    mistake,
    change,
    nowMs,
  } = status;
  const rows: Row[] = [];
  const verdicts = verdictsOf(status);
  if (health !== undefined) {
    // Of others the health file tells what was, and not what is.
    const isLive = health.isRunning && !isPaused;
    rows.push(["Agent", agentText(health, { isPaused, nowMs })]);
    for (const panel of health.panels) rows.push(...panelRows(panel, { isLive, nowMs }));
    if (memoryBytes !== undefined) rows.push(["Memory", formatByteCount(memoryBytes)]);
    if (isLive && health.seal !== "") rows.push(["Seal", health.seal]);
    if (stateTrouble !== undefined) rows.push(["State folder", stateTrouble]);
    for (const { text, action } of isLive ? agentProblems(health) : []) {
      const isTold = verdicts.some((verdict) => verdict.text.includes(text));
      rows.push(["Problem", isTold || action === undefined ? text : `${text} → ${action}`]);
    }
  }
  if (found.status !== "skipped") {
    rows.push(["Service", found.text]);
    const { advice } = found;
    for (const [at, line] of advice.entries()) {
      rows.push([advice.length === 1 ? "  →" : `  ${at + 1}.`, line]);
    }
  }
  if (updateError !== undefined) rows.push(["Updates", updateError]);
  if (mistake !== undefined && !tells(found.text, mistake)) rows.push(["Configuration", mistake]);
  if (change !== undefined) rows.push(["Configuration", change]);
  const first = verdicts.map(({ text }) =>
    `${wrapped(inLanguage(text), { indent: 0, columns })}\n`
  );
  return first.join("") + rows.map(([name, text]) => {
    const body = wrapped(inLanguage(text), { indent: NAME_WIDTH, columns });
    return `${padded(inLanguage(name), NAME_WIDTH)}${body}\n`;
  }).join("");
}

/** What `status` begins with: a line, and one for each panel where there are several. */
function verdictsOf(status: Status): { text: string; isOk: boolean }[] {
  const { health, isPaused, found, nowMs } = status;
  if (health?.isRunning !== true) {
    const isInstalled = found.status !== "skipped";
    const reason = isInstalled
      ? found.text
      : health === undefined
      ? NO_AGENT
      : "the agent exited unexpectedly";
    const [action] = isInstalled ? found.advice : [];
    return [{ text: notReporting({ reason, action }), isOk: false }];
  }
  const { pid, panels, startedAtMs = nowMs } = health;
  if (isPaused) {
    const reason = `process ${pid} was stopped by a signal`;
    return [{ text: notReporting({ reason, action: `kill -CONT ${pid}` }), isOk: false }];
  }
  const problem = problemOf(status, health);
  if (panels.length === 0) {
    const reason = problem?.reason ?? "no report was accepted yet";
    return [{ text: notReporting({ ...problem, reason }), isOk: false }];
  }
  return panels.map(({ panel, transport, acceptedAtMs, intervalMs = health.intervalMs, error }) => {
    const withinMs = reportingWithinMs(intervalMs);
    const isOutage = transport === undefined;
    const state = { panel, startedAtMs, acceptedAtMs, isOutage, withinMs, failure: error };
    return isReportingTo(state, nowMs) && problem !== undefined
      ? { text: `REPORTING to ${panel}, BUT ${diagnosisLine(problem)}`, isOk: false }
      : {
        text: verdictOn(state, { nowMs, isOnly: panels.length === 1 }),
        isOk: isReportingTo(state, nowMs),
      };
  });
}

/** What is wrong beside reports that are accepted, and what to do about it; `undefined` for nothing. */
function problemOf(
  { found, stateTrouble, mistake }: Status,
  health: Health,
): { reason: string; action: string } | undefined {
  // A panel that wants to control this machine in vain is no trouble of its owner's.
  const seen = agentProblems(health).find(({ part }) => part !== "remote");
  if (seen !== undefined) return { reason: seen.text, action: seen.action ?? LOOK };
  if (stateTrouble !== undefined) return { reason: stateTrouble, action: LOOK };
  if (found.status === "warning" || found.status === "failed") {
    return { reason: found.text, action: found.advice[0] ?? LOOK };
  }
  return mistake === undefined ? undefined : { reason: mistake, action: "correct it" };
}

type Row = readonly [name: string, text: string];

function agentText(
  { version, pid, isRunning, startedAtMs }: Health,
  { isPaused, nowMs }: { isPaused: boolean; nowMs: number },
): string {
  if (!isRunning) return `version ${version} exited unexpectedly (process ${pid})`;
  if (isPaused) {
    return `version ${version}, process ${pid}, stopped by a signal; this lets it go on: ` +
      `kill -CONT ${pid}`;
  }
  if (startedAtMs === undefined) return `version ${version}, process ${pid}`;
  const since = duration(nowMs - startedAtMs);
  return `version ${version}, process ${pid}, running for ${since}`;
}

function panelRows(
  panel: PanelHealth,
  { isLive, nowMs }: { isLive: boolean; nowMs: number },
): Row[] {
  const { proxy, transport, sinceMs, acceptedAtMs, intervalMs = 0, failures, error } = panel;
  const since = duration(nowMs - sinceMs);
  const connection = transport === undefined
    ? isLive ? `${panel.panel}, not connected for ${since}` : panel.panel
    : isLive
    ? proxy === undefined
      ? `${panel.panel}, by ${transport} for ${since}`
      : `${panel.panel}, by ${transport} through the proxy ${proxy} for ${since}`
    : `${panel.panel}, last by ${transport}`;
  const interval = intervalMs > 0 ? `, interval ${intervalMs / 1000} s` : "";
  const report = acceptedAtMs === undefined
    ? "none was accepted yet"
    : `accepted ${duration(nowMs - acceptedAtMs)} ago${interval}`;
  const count = failures === 0
    ? ""
    : acceptedAtMs === undefined
    ? ` (${failures} so far)`
    : ` (${failures} since the last report)`;
  // In an outage the first line has it.
  const action = transport && error?.action ? ` \u2192 ${error.action}` : "";
  const failure = error && `${duration(nowMs - error.atMs)} ago${count}: ${error.text}${action}`;
  return [
    ["Panel", connection],
    ["Last report", report],
    ...failure === undefined ? [] : [["Last failure", failure] as const],
    ...isLive ? [["Probes", probesText(panel)] as const] : [],
  ];
}

function probesText(panel: PanelHealth): string {
  const { probes, lastMinute = 0, lost = 0 } = panel;
  const results = lastMinute === 0 ? "" : `, ${lastMinute} in the last minute, ${lost} lost`;
  return withLostTargets(`${probes}${results}`, [panel]);
}

/** The state for programs. */
export function statusJson(status: Status): string {
  const { health, memoryBytes, service, found, stateTrouble, mistake, change, nowMs } = status;
  const time = (ms: number | undefined) =>
    ms === undefined ? undefined : new Date(ms).toISOString();
  const problem = healthProblem(health, nowMs, found);
  const shown = {
    healthy: problem === undefined,
    problem,
    running: health?.isRunning ?? false,
    pid: health?.pid,
    version: health?.version,
    startedAt: time(health?.startedAtMs),
    intervalSeconds: health && health.intervalMs > 0 ? health.intervalMs / 1000 : undefined,
    memoryBytes,
    seal: health?.seal,
    panels: health?.panels.map((it) => ({
      panel: it.panel,
      transport: it.transport,
      since: time(it.sinceMs),
      acceptedAt: time(it.acceptedAtMs),
      failures: it.failures,
      error: it.error && { ...it.error, atMs: undefined, at: time(it.error.atMs) },
      probes: it.probes,
      probesLastMinute: it.lastMinute,
      probesLostLastMinute: it.lost,
    })),
    problems: health && agentProblems(health),
    stateProblem: stateTrouble,
    service,
    serviceProblem: ["failed", "warning"].includes(found.status) ? found.text : undefined,
    updateError: status.updateError,
    configurationError: mistake,
    configurationChange: change,
  };
  return jsonText(shown);
}
