/**
 * The checks of `doctor` about the installed service and its running agent.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { panelNames } from "../config/panels.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { serviceText } from "../service/installed_service.ts";
import type { Health } from "../state/health_reader.ts";
import { closesSoon, seenProblem } from "./agent_problems.ts";
import { type CheckResult, result } from "./checks.ts";
import { lastSetting, type LoadedUnit, settingText, variableFile } from "../service/loaded_unit.ts";
import { barrierTo, identityOf } from "./doctor_rights.ts";
import { type FoundService, unitFailure } from "./doctor_unit.ts";
import { crash, hiddenPath, restart, type UnitFailure } from "./doctor_unit_settings.ts";
import { healthProblem } from "./health.ts";
import { duration } from "./status.ts";

/** The result for the installed service, whose agent is seen by its `health`. */
export function serviceResult(found: FoundService, health: Health | undefined): CheckResult {
  const shown = ofService(found, health);
  if (found.scope === "system") return shown;
  const { advice, causes } = shown;
  return { ...shown, advice: advice && forUser(advice), causes: causes?.map(forUser) };
}

/** Commands for a user's own systemd. */
function forUser(advice: string): string {
  return advice.replace(/\b(systemctl|systemd-analyze) (?!--user)/g, "$1 --user ")
    .replace(/\bjournalctl -u/g, "journalctl --user -u");
}

function ofService(found: FoundService, health: Health | undefined): CheckResult {
  const { state, unit, install } = found;
  if (state === undefined) {
    if (unit !== undefined && unit.property("LoadState") === "loaded") {
      return result(
        "failed",
        `${unit.property("FragmentPath")} is there, but the record of its installation is not`,
        `write the record anew: ${install}`,
      );
    }
    return isInContainerImage()
      ? result("skipped", "not used in a container")
      : result("skipped", "not installed as a service", "`install` starts it at every boot");
  }
  if (state.isUnconfigured) {
    return result(
      "failed",
      `${state.name} is installed and not configured: it knows no panel`,
      "name the panel: sudo komari-agent-deno install -e URL -t TOKEN",
    );
  }
  const isSystemd = state.manager === "systemd";
  if (state.isActive === undefined || (isSystemd && unit === undefined)) {
    const text = isSystemd
      ? `systemctl does not answer, so nothing is known of ${state.name}`
      : serviceText(state);
    const advice = !isSystemd
      ? undefined
      : found.scope === "system"
      ? "see what systemd itself says: journalctl -b _PID=1 -n 20"
      : "ask it in a login of its user, not by su or sudo -u";
    return result(health === undefined ? "failed" : "warning", text, advice);
  }
  const text = serviceText(state);
  if (!state.isActive) return stoppedResult(text, found);
  if (health === undefined) return unseenResult(text, found);
  const restarts = Number(unit?.property("NRestarts") ?? 0);
  const counted = restarts > 0 ? `${text}; systemd has started it again ${restarts} times` : text;
  if (state.isEnabled === false) {
    return result("warning", counted, `start it at boot: ${state.enable}`);
  }
  if (state.updateTimer === "stopped") {
    return result(
      "warning",
      `${counted}; the timer of its updates is not running`,
      `have it look for updates: ${state.enableUpdates}`,
    );
  }
  const { programVersion } = found;
  if (programVersion !== undefined && programVersion !== health.version) {
    return result(
      "warning",
      `${counted}; the agent that runs is of version ${health.version}, and its program on the disk ` +
        `of version ${programVersion}, which the next start takes`,
      `if that is the version that you want, start it: systemctl restart ${state.name}`,
      `else put the other one there: ${install}`,
    );
  }
  if (unit?.property("NeedDaemonReload") === "yes") {
    const reload = `systemctl daemon-reload && systemctl restart ${unit.name}`;
    return result("warning", `${counted}; its files have changed since systemd read them`, reload);
  }
  return result("ok", counted);
}

/** A service that does not run: why, by systemd, else by the last error in its log. */
function stoppedResult(text: string, found: FoundService): CheckResult {
  const { state, unit } = found;
  const { start = "", logHint = "", lastError = "", lastLine = "" } = state ?? {};
  const why = unit &&
    (unitFailure(unit, found) ?? crash(unit, lastError) ?? hiddenPath(unit, lastError));
  const again = startAgain(found);
  if (why !== undefined) {
    return result("failed", `${text}: ${why.text}${again.text}`, ...why.advice, ...again.advice);
  }
  if (lastError !== "") {
    const said = `${text}; the last error in its log: ${lastError}`;
    // This doctor has read the same file, which the error was about.
    if (isRepaired(lastError, found)) {
      return result("failed", `${said}; that is repaired by now`, `start it: ${start}`);
    }
    const [, variable = ""] = / variable (\w+)/.exec(lastError) ?? [];
    const file = unit && variableFile(unit.settings, variable);
    if (unit !== undefined && file !== undefined) {
      const advice = `correct ${variable} in ${file}, and then: ${restart(unit.name)}`;
      return result("failed", said, advice);
    }
    const denied = deniedFile(unit, lastError);
    return denied === undefined
      ? result("failed", said, `repair that, and then: ${start}; its log: ${logHint}`)
      : result("failed", `${said}; ${denied.text}`, `${denied.repair} && ${start}`);
  }
  const code = unit?.property("ExecMainCode") === "1" ? unit.property("ExecMainStatus") : "0";
  if (code !== "0") {
    return result(
      "failed",
      lastLine === ""
        ? `${text}: it exited with code ${code}, and its log does not say why`
        : `${text}: it exited with code ${code}; the last line of its log: ${lastLine}`,
      `read its log: ${logHint}`,
    );
  }
  const restarts = Number(unit?.property("NRestarts") ?? 0);
  if (restarts > 0) {
    return result(
      "failed",
      `${text}: it ends again and again, and systemd has started it ${restarts} times`,
      `read its log: ${logHint}`,
    );
  }
  return result("failed", `${text}: it was stopped`, `start it: ${start}`);
}

/** Whether systemd starts again what has ended; it does by its unit's own settings. */
function startAgain({ unit, state }: FoundService): UnitFailure {
  const isLeft = unit?.property("Restart") === "no" && unit.property("ActiveState") === "failed";
  const setting = unit && lastSetting(unit.settings, "Restart");
  return !isLeft || setting === undefined ? { text: "", advice: [] } : {
    text: `; ${settingText(setting)}, so systemd does not start it again`,
    advice: [`start it: ${state?.start}`],
  };
}

/** Whether an error was about the configuration that this process has read without one. */
function isRepaired(lastError: string, { readConfig }: FoundService): boolean {
  return readConfig !== undefined && /^(?:\S+: )?Cannot use /.test(lastError) &&
    lastError.includes(readConfig);
}

/** A file in an error that its user may not read, and what is in the way. */
function deniedFile(
  unit: LoadedUnit | undefined,
  lastError: string,
): { text: string; repair: string } | undefined {
  const [, path] = / (\/\S+): permission denied/i.exec(lastError) ?? [];
  const user = unit?.property("User") ?? "";
  const identity = path === undefined ? undefined : identityOf(user || "root");
  const barrier = path !== undefined && identity ? barrierTo(path, identity) : undefined;
  return barrier && {
    text: `user ${user || "root"} may not use ${barrier.path}`,
    repair: `let it: ${barrier.repair}`,
  };
}

/** A service that runs, and whose agent is not seen. */
function unseenResult(text: string, { state, unit, runtimeFolder }: FoundService): CheckResult {
  const { logHint = "" } = state ?? {};
  // Of a run before this one, unless systemd has started that again by itself.
  const lastError = unit?.property("NRestarts") === "0" ? "" : state?.lastError ?? "";
  const pid = Number(unit?.property("MainPID") ?? 0);
  const why = unit && (crash(unit, lastError) ?? hiddenPath(unit, lastError));
  if (why !== undefined) return result("failed", `${text}, but ${why.text}`, ...why.advice);
  if (lastError !== "") {
    return result(
      "failed",
      `${text}, but no agent of it is seen; the last error in its log: ${lastError}`,
      `repair that; its log: ${logHint}`,
    );
  }
  if (pid > 0) {
    if (isPaused(pid)) return pausedResult(text, pid);
    return result(
      "failed",
      `${text} as process ${pid}, but its health file ${runtimeFolder}/health is not there`,
      `if it was started a moment ago, ask again; else the file was removed, and a restart makes ` +
        `it again: systemctl restart ${unit?.name}`,
    );
  }
  return result(
    "failed",
    `${text}, but no agent of it is seen`,
    `it was started a moment ago, or ends again and again: ${logHint}`,
  );
}

/** Whether a signal has stopped a process, until another one lets it go on. */
function isPaused(pid: number): boolean {
  const status = attempt(() => Deno.readTextFileSync(`/proc/${pid}/status`)) ?? "";
  return /^State:\s+T/m.test(status);
}

function pausedResult(text: string, pid: number): CheckResult {
  return result(
    "failed",
    `${text}; its process ${pid} was stopped by a signal (state T)`,
    `let it go on: kill -CONT ${pid}`,
  );
}

/** A failure of the running agent that may have to do with what is looked at. */
const LATELY_MS = 60_000;

/** The result for the running agent: whether its panel accepts its reports, and what it has seen. */
export function agentResult(config: Config, health: Health | undefined): CheckResult {
  if (health === undefined) return result("skipped", "no agent runs here that this user can see");
  const { version, pid } = health;
  const ours = panelNames(
    [config, ...config.furtherPanels].filter(({ endpoint }) => endpoint !== ""),
  );
  const others = health.panels.map(({ panel }) => panel);
  if (ours.length > 0 && others.length > 0 && !others.some((panel) => ours.includes(panel))) {
    const names = others.join(", ");
    return result("skipped", `process ${pid} reports to ${names}, and not to this panel`);
  }
  const nowMs = Date.now();
  const problem = healthProblem(health, nowMs);
  const ago = duration(nowMs - (health.acceptedAtMs ?? nowMs));
  const lately =
    health.panels.flatMap(({ error }) =>
      error !== undefined && nowMs - error.atMs < LATELY_MS ? [error] : []
    )[0];
  const state = `version ${version}, process ${pid}: ${
    problem ?? `a report was accepted ${ago} ago`
  }`;
  const text = problem !== undefined || lately === undefined
    ? state
    : `${state}; a failure ${duration(nowMs - lately.atMs)} ago: ${lately.text}`;
  if (isPaused(pid)) return pausedResult(text, pid);
  if (problem !== undefined) {
    const unregistered = seenProblem(health, "registration");
    return unregistered === undefined
      ? result(
        "failed",
        text,
        "if all checks of the panel are fine, see whether it reports in a minute: " +
          "komari-agent-deno status",
        `see in its log what it tries: journalctl -u ${config.serviceName} -n 20`,
      )
      : result(
        "failed",
        `${text}; ${unregistered}`,
        "compare the key of --auto-discovery with the one on the panel's page of settings",
      );
  }
  for (const [part, status, advice] of PROBLEMS) {
    const seen = seenProblem(health, part);
    if (seen !== undefined) return result(status, `${text}; ${seen}`, advice);
  }
  if (hasTokenInArguments(pid)) {
    return result(
      "warning",
      `${text}; it was started with -t, so every user of this machine can read its token, and a crash ` +
        "of the runtime would write it into the log",
      "give it the token by --token-file FILE or the variable AGENT_TOKEN, and restart it",
    );
  }
  return result("ok", text);
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

/** The result for probes of the last minute. */
export function probesResult(health: Health | undefined): CheckResult {
  const panels = health?.panels ?? [];
  const run = panels.reduce((sum, { lastMinute = 0 }) => sum + lastMinute, 0);
  const lost = panels.reduce((sum, it) => sum + (it.lost ?? 0), 0);
  if (run === 0) return result("skipped", "none ran in the last minute");
  const text = `${run} in the last minute, ${lost} lost`;
  if (lost < run) return result("ok", text);
  const kinds = panels.flatMap(({ kinds = {} }) => Object.keys(kinds));
  const seen = health && seenProblem(health, "ping");
  if (seen !== undefined && kinds.every((kind) => kind === "icmp")) {
    return result("warning", `${text}: ${seen}`);
  }
  return result(
    "warning",
    text,
    "see whether a target answers this machine: ping -c 3 TARGET",
    "see why each is lost: start the agent with --log-level debug",
  );
}

/**
 * The result for WebSockets of the running agent: whether they last.
 *
 * @param proxyVariable The variable that names the proxy on the way, with its file; `undefined` without
 * one.
 */
export function connectionsResult(
  health: Health | undefined,
  proxyVariable: string | undefined,
): CheckResult {
  const closed = health?.panels.filter(closesSoon) ?? [];
  const [first] = closed;
  if (first === undefined) {
    return health === undefined
      ? result("skipped", "no agent runs here that this user can see")
      : result("ok", "none is closed soon after it opened");
  }
  const names = closed.map(({ panel }) => panel).join(", ");
  return result(
    "failed",
    `the last ${first.shortConnections} WebSockets to ${names} were closed soon after they opened`,
    "see whether the panel shows the node as online while this agent is stopped: another machine " +
      "has the same token then",
    "see whether a proxy in front of the panel closes what is silent (nginx: proxy_read_timeout 60s)",
    "see on the panel's machine whether the panel starts again and again",
    proxyVariable && `see whether the proxy of ${proxyVariable} closes what is silent`,
  );
}
