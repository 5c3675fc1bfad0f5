/**
 * The checks of `doctor` about the running agent: its reports, probes and connections.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { panelNames } from "../config/panels.ts";
import { type Health, reportingPanels } from "../state/health_reader.ts";
import { type UnitSetting, variableFile, variableValue } from "../service/loaded_unit.ts";
import { reportProblem, seenProblem } from "./agent_problems.ts";
import { isPaused } from "./agent_process.ts";
import { type CheckResult, failed, ok, result, skipped, warning } from "./checks.ts";
import { reinstall } from "./doctor_options.ts";
import { duration } from "./help.ts";

export function pausedResult(text: string, pid: number): CheckResult {
  const said = `${text}; its process ${pid} was stopped by a signal (state T)`;
  return { ...failed(said, `let it go on: kill -CONT ${pid}`), kind: "paused" };
}

/** A failure of the running agent that may have to do with what is looked at. */
const LATELY_MS = 60_000;

/** The result for the running agent, whose log `logHint` shows: whether its panel accepts its reports, and what it has seen. */
export function agentResult(
  config: Config,
  health: Health | undefined,
  { logHint, settings = [], correct, isUnread = false }: {
    logHint: string | undefined;
    /** How to correct a drop-in that starts another program, or this one with other options. */
    correct?: string | undefined;
    /** Those of the service's unit. */
    settings?: readonly UnitSetting[];
    /** Whether the configuration of its service is not for this user, so that nothing else was checked. */
    isUnread?: boolean;
  },
): CheckResult {
  if (health === undefined) return skipped("no agent is seen to run here");
  const { version, pid } = health;
  const endpoint = variableValue(settings, "AGENT_ENDPOINT") || config.endpoint;
  const ours = panelNames(
    [{ ...config, endpoint }, ...config.furtherPanels].filter(({ endpoint }) =>
      URL.canParse(endpoint)
    ),
  );
  const others = health.panels.map(({ panel }) => panel);
  if (ours.length > 0 && others.length > 0 && !others.some((panel) => ours.includes(panel))) {
    const names = others.join(", ");
    const text = `process ${pid} reports to ${names}, and not to this panel`;
    // Another agent may run beside what a command line asks about.
    if (!config.isConfigInstalled) return skipped(text);
    return result(
      correct === undefined ? "warning" : "failed",
      `process ${pid} reports to ${names}, and its configuration has ${ours.join(", ")} by now`,
      correct ?? `have it use that: ${reinstall(config)}`,
    );
  }
  const nowMs = Date.now();
  const problem = reportProblem(health, nowMs);
  const ago = duration(nowMs - (health.acceptedAtMs ?? nowMs));
  const lately = health.panels.flatMap(({ error }) => error ?? [])
    .find(({ atMs }) => nowMs - atMs < LATELY_MS);
  const state = `version ${version}, process ${pid}: ${
    problem ?? `a report was accepted ${ago} ago`
  }`;
  const hasFailedSince = lately !== undefined && lately.atMs > (health.acceptedAtMs ?? 0);
  const text = problem !== undefined || lately === undefined
    ? state
    : hasFailedSince
    ? `${state}; a failure since then, ${duration(nowMs - lately.atMs)} ago: ${lately.text}`
    : `${state}; a failure ${duration(nowMs - lately.atMs)} ago: ${lately.text}`;
  if (isPaused(pid)) return pausedResult(text, pid);
  if (problem !== undefined) {
    const found = notReporting(text, problem, { config, health, logHint, isUnread });
    return { ...found, kind: "not_reporting" };
  }
  const kind = hasFailedSince ? undefined : "reporting";
  const other = otherConfig(config, health);
  if (other !== undefined) {
    return { ...warning(`${text}; ${other}`, `have it use that: ${reinstall(config)}`), kind };
  }
  for (const [part, status, advice] of PROBLEMS) {
    const seen = seenProblem(health, part);
    if (seen === undefined) continue;
    const missing = /it is not installed/.test(seen)
      ? "install the driver's own tools, or leave out --gpu"
      : /certificate store/.test(seen)
      ? `correct DENO_TLS_CA_STORE in ${
        variableFile(settings, "DENO_TLS_CA_STORE") ?? "its environment"
      }: allowed are system and mozilla`
      : undefined;
    return { ...result(status, `${text}; ${seen}`, missing ?? advice), kind };
  }
  if (hasTokenInArguments(pid)) {
    const found = warning(
      `${text}; it was started with -t, so every user of this machine can read its token, and a crash ` +
        "of the runtime would write it into the log",
      "give it the token by --token-file FILE or the variable AGENT_TOKEN, and restart it",
    );
    return { ...found, kind };
  }
  // What the panel itself refuses, beside reports that it takes.
  if (lately !== undefined && /the panel answered/.test(lately.text)) {
    const advice =
      "see in the panel's log, on its machine, why it answers so, and whether its disk is full: df -h";
    return { ...warning(text, advice), kind };
  }
  return { ...ok(text), kind };
}

/** What to do where no panel accepts the reports of the running agent. */
function notReporting(
  text: string,
  problem: string,
  { config, health, logHint, isUnread }: {
    config: Config;
    health: Health;
    logHint: string | undefined;
    isUnread: boolean;
  },
): CheckResult {
  if (isUnread) {
    return failed(text, "check the way to its panel as root: sudo komari-agent-deno doctor");
  }
  const other = otherConfig(config, health);
  if (other !== undefined) {
    return failed(`${text}; ${other}`, `have it use that: ${reinstall(config)}`);
  }
  const unregistered = seenProblem(health, "registration");
  if (unregistered !== undefined) {
    return failed(
      `${text}; ${unregistered}`,
      "compare the key of --auto-discovery with the one on the panel's page of settings",
    );
  }
  // The check of names may have had no time.
  const [, host] = /Cannot resolve ([^:\s]+):/.exec(problem) ?? [];
  return failed(
    text,
    host &&
      `see whether a name server answers about it: cat /etc/resolv.conf; time getent ahosts ${host}`,
    "if all checks of the panel are fine, see whether it reports in a minute: " +
      "komari-agent-deno status",
    logHint === undefined
      ? "see in its log what it tries"
      : `see in its log what it tries: ${logHint}`,
  );
}

/** That the agent of the installed service runs with other settings than its file has; `undefined` where it does not. */
export function otherConfig(
  { configPath, configDigest, isConfigInstalled }: Config,
  { configDigest: used }: Health,
): string | undefined {
  const isOther = isConfigInstalled && ![configDigest, used].includes(undefined) &&
    configDigest !== used;
  return isOther ? `${configPath} was changed since it has read that` : undefined;
}

/** What is known of a running agent's reports to the panels whose ways are checked. */
export interface AgentReports {
  /** The panel of checks that name none. */
  readonly panel: string | undefined;
  /** The panels that have accepted one, and the agent's panels that accept none now. */
  readonly accepted: ReadonlySet<string | undefined>;
  readonly failing: ReadonlySet<string | undefined>;
  /** Why they are accepted by a panel that refuses the token; empty where that is not seen. */
  readonly explanation: string;
}

export function agentReports(config: Config, health: Health | undefined): AgentReports {
  const [panel] = URL.canParse(config.endpoint) ? panelNames([config]) : [];
  const panels = health?.panels ?? [];
  const reporting = reportingPanels(health);
  const accepted = panels.filter(({ acceptedAtMs }) => acceptedAtMs !== undefined);
  const failing = panels.filter((it) => !reporting.has(it.panel));
  return {
    panel,
    accepted: new Set(accepted.map((it) => it.panel)),
    failing: new Set(failing.map((it) => it.panel)),
    explanation: health === undefined ? "" : whyAccepted(config, health),
  };
}

function whyAccepted(config: Config, health: Health): string {
  const other = otherConfig(config, health);
  if (other !== undefined) return other;
  const open = health.panels.find(({ transport }) => transport?.endsWith(" WebSocket"));
  return open === undefined
    ? ""
    : `they go by a WebSocket that was opened ${
      duration(Date.now() - open.sinceMs)
    } ago, and the ` +
      "panel looks at the token of a new one alone";
}

/** Whether the token is on the command line of a process. */
function hasTokenInArguments(pid: number): boolean {
  const text = attempt(() => Deno.readTextFileSync(`/proc/${pid}/cmdline`)) ?? "";
  return text.split("\0").some((word) => /^(?:-t|--token(?:=|$))/.test(word));
}

/** Problems of a running agent; the other parts have a check of their own. */
const PROBLEMS = [
  ["gpu", "failed", "ask the driver itself: nvidia-smi"],
  ["authorities", "warning", "read the files named there: openssl x509 -noout -text -in FILE"],
] as const;
