/**
 * The checks of `doctor` about the installed service and its running agent.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { panelNames } from "../config/panels.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { type ServiceState, serviceText } from "../service/installed_service.ts";
import { lastSetting, type LoadedUnit, settingText } from "../service/loaded_unit.ts";
import type { Health } from "../state/health_reader.ts";
import { closesSoon, seenProblem } from "./agent_problems.ts";
import { type CheckResult, result } from "./checks.ts";
import { healthProblem } from "./health.ts";
import { duration } from "./status.ts";

/** The installed service, as it is found. */
export interface FoundService {
  /** `undefined` where nothing is recorded as installed. */
  readonly state: ServiceState | undefined;
  /** The same in systemd's words; `undefined` for other managers. */
  readonly unit: LoadedUnit | undefined;
  /** The jobs that systemd has not done yet, as `systemctl list-jobs` shows them. */
  readonly jobs: string;
  /** The folder where the service keeps its health file. */
  readonly runtimeFolder: string;
  /** The version of the program on the disk; `undefined` where nothing runs, or it does not say. */
  readonly programVersion: string | undefined;
  /** The command that installs the service anew. */
  readonly install: string;
}

/** The result for the installed service, whose agent is seen by its `health`. */
export function serviceResult(found: FoundService, health: Health | undefined): CheckResult {
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
  const text = serviceText(state);
  if (!state.isActive) return stoppedResult(text, found);
  if (health === undefined) return unseenResult(text, found);
  const restarts = Number(unit?.property("NRestarts") ?? 0);
  const counted = restarts > 0 ? `${text}; systemd has started it again ${restarts} times` : text;
  if (!state.isEnabled) return result("warning", counted, `start it at boot: ${state.enable}`);
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
  const { start = "", logHint = "", lastError = "" } = state ?? {};
  const why = unit && (unitFailure(unit, found) ?? crash(unit, lastError));
  if (why !== undefined) return result("failed", `${text}: ${why.text}`, ...why.advice);
  if (lastError !== "") {
    return result(
      "failed",
      `${text}; the last error in its log: ${lastError}`,
      `repair that, and then: ${start}; its log: ${logHint}`,
    );
  }
  const code = unit?.property("ExecMainCode") === "1" ? unit.property("ExecMainStatus") : "0";
  if (code !== "0") {
    return result(
      "failed",
      `${text}: it exited with code ${code}, and its log does not say why`,
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

/** A service that runs, and whose agent is not seen. */
function unseenResult(text: string, { state, unit, runtimeFolder }: FoundService): CheckResult {
  const { logHint = "" } = state ?? {};
  // Of a run before this one, unless systemd has started that again by itself.
  const lastError = unit?.property("NRestarts") === "0" ? "" : state?.lastError ?? "";
  const pid = Number(unit?.property("MainPID") ?? 0);
  const why = unit && crash(unit, lastError);
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

interface UnitFailure {
  readonly text: string;
  readonly advice: readonly string[];
}

/** Exit codes by which systemd says that it could not set a process up (systemd.exec(5)). */
const SET_UP_FAILURES: Readonly<Record<string, string>> = {
  "200": "CHDIR",
  "203": "EXEC",
  "205": "LIMITS",
  "209": "STDOUT",
  "216": "GROUP",
  "217": "USER",
  "218": "CAPABILITIES",
  "225": "NETWORK",
  "226": "NAMESPACE",
  "227": "NO_NEW_PRIVILEGES",
  "228": "SECCOMP",
  "233": "RUNTIME_DIRECTORY",
  "238": "STATE_DIRECTORY",
  "243": "CREDENTIALS",
};

/** Signals by their numbers, and settings of a unit that make a process end by them. */
const SIGNALS: Readonly<Record<string, readonly [name: string, settings: readonly string[]]>> = {
  "4": ["SIGILL", ["LimitAS", "LimitDATA", "MemoryDenyWriteExecute"]],
  "5": ["SIGTRAP", ["LimitAS", "LimitDATA", "MemoryDenyWriteExecute", "LimitNPROC", "TasksMax"]],
  "6": ["SIGABRT", ["LimitAS", "LimitDATA", "MemoryDenyWriteExecute", "LimitNPROC", "TasksMax"]],
  "9": ["SIGKILL", ["MemoryMax", "LimitCPU"]],
  "11": ["SIGSEGV", ["LimitAS", "LimitDATA", "LimitSTACK", "MemoryDenyWriteExecute"]],
  "15": ["SIGTERM", []],
  "24": ["SIGXCPU", ["LimitCPU"]],
  "25": ["SIGXFSZ", ["LimitFSIZE"]],
  "31": ["SIGSYS", ["SystemCallFilter", "SystemCallArchitectures"]],
};

/** Why systemd does not run a unit, in its words; `undefined` where the program says it itself. */
function unitFailure(unit: LoadedUnit, found: FoundService): UnitFailure | undefined {
  const { name } = unit;
  const start = `systemctl start ${name}`;
  const load = unit.property("LoadState");
  if (load === "masked") {
    const text = "it is masked, so nothing can start it";
    return { text, advice: [`systemctl unmask ${name} && ${start}`] };
  }
  if (load === "not-found") {
    return { text: "systemd finds no unit of it", advice: [`write it anew: ${found.install}`] };
  }
  if (load !== "loaded" && load !== "") {
    const text = `systemd can't read its unit (${load})`;
    return { text, advice: [`see what is wrong in it: systemd-analyze verify ${name}`] };
  }
  const job = unit.property("Job");
  if (job !== "" && job !== "0") return queuedFailure(job, found);
  if (unit.property("ConditionResult") === "no" && unit.property("ExecMainStatus") === "0") {
    const advice = `see which (Condition…= in its files): systemctl status ${name}`;
    return { text: "a condition of its unit is not met, so it was not started", advice: [advice] };
  }
  const [code, status] = [unit.property("ExecMainCode"), unit.property("ExecMainStatus")];
  const systemResult = unit.property("Result");
  if (systemResult === "oom-kill") return memoryFailure(unit);
  // Ended by SIGTERM it was stopped, which is a success.
  if (systemResult !== "success" && (code === "2" || code === "3")) {
    return signalFailure(status, unit);
  }
  const setUp = SET_UP_FAILURES[status];
  if (code === "1" && setUp !== undefined) return setUpFailure(`${status}/${setUp}`, unit, found);
  const named = ["exit-code", "success", ""].includes(systemResult);
  return named ? undefined : {
    text: `systemd gave up (Result=${systemResult})`,
    advice: [`its log: ${found.state?.logHint}`],
  };
}

/** A start that waits for other units. */
function queuedFailure(job: string, { jobs }: FoundService): UnitFailure {
  const running = jobs.split("\n").flatMap((line) => {
    const [id = "", unit = "", , state = ""] = line.trim().split(/\s+/);
    return id !== job && state === "running" ? [unit] : [];
  });
  const text = `its start is queued (job ${job})`;
  if (running.length === 0) {
    return { text, advice: ["see what it waits for: systemctl list-jobs --after"] };
  }
  const [first] = running;
  return {
    text: `${text} while systemd still starts ${running.join(", ")}`,
    advice: [`see why that takes so long: systemctl status ${first}`],
  };
}

function memoryFailure({ settings, name }: LoadedUnit): UnitFailure {
  const limit = lastSetting(settings, "MemoryMax");
  const text = "the kernel killed it, because memory was used up (Result=oom-kill)";
  if (limit === undefined) return { text, advice: ["see what uses it: free -m; journalctl -k"] };
  const advice = `raise or remove ${settingText(limit)}, and then: ${restart(name)}`;
  return { text, advice: [advice] };
}

function signalFailure(status: string, unit: LoadedUnit): UnitFailure {
  const [signal, candidates] = SIGNALS[status] ?? [`signal ${status}`, []];
  const text = `its process was ended by ${signal}`;
  return underSettings(text, { unit, names: candidates }) ?? {
    text,
    advice: [
      `see whether the kernel killed it: journalctl -k | grep -i -e oom -e ${signal}`,
      `see what it said last: journalctl -u ${unit.name} -n 30`,
    ],
  };
}

/** Settings under which the runtime can't start, or ends in the middle of its work. */
const BREAKING_SETTINGS = [
  ...["LimitAS", "LimitDATA", "LimitSTACK", "LimitNPROC", "TasksMax", "LimitFSIZE", "MemoryMax"],
  ...["MemoryDenyWriteExecute"],
];

/** How a runtime, or the shell that starts it, says that it can't go on; the program names its own errors. */
const RUNTIME_ERRORS = /panicked|Cannot fork|out of memory|Fatal/i;

/** A runtime that has ended by itself, before the program could say anything. */
function crash(unit: LoadedUnit, lastError: string): UnitFailure | undefined {
  const status = unit.property("ExecMainStatus");
  const hasFailed = unit.property("ExecMainCode") === "1" && status !== "0";
  const isOfRuntime = RUNTIME_ERRORS.test(lastError);
  if (!isOfRuntime && (!hasFailed || lastError !== "")) return undefined;
  const text = hasFailed ? `its runtime ended with code ${status}` : "its runtime ended by itself";
  const settings = underSettings(text, { unit, names: BREAKING_SETTINGS });
  if (settings !== undefined || lastError === "") return settings;
  const advice = `see all that it said: journalctl -u ${unit.name} -n 30`;
  return { text: `${text}, and said: ${lastError}`, advice: [advice] };
}

/** A failure that settings of the unit explain; `undefined` where it has none of them. */
function underSettings(
  text: string,
  { unit: { settings, name }, names }: { unit: LoadedUnit; names: readonly string[] },
): UnitFailure | undefined {
  const set = names.flatMap((it) => lastSetting(settings, it) ?? [])
    .filter(({ value }) => !["", "infinity", "no", "false"].includes(value));
  const [only] = set;
  if (only === undefined) return undefined;
  if (set.length === 1) {
    const advice = `remove that setting, with which it can't run, and then: ${restart(name)}`;
    return { text: `${text} (${settingText(only)})`, advice: [advice] };
  }
  return { text, advice: set.map((it) => `remove ${settingText(it)}, and then: ${restart(name)}`) };
}

function setUpFailure(
  code: string,
  { name, property, settings }: LoadedUnit,
  { state, install }: FoundService,
): UnitFailure {
  const text = `systemd could not set its process up (${code})`;
  const reason = state?.lastError === undefined || state.lastError === ""
    ? text
    : `${text}: ${state.lastError}`;
  if (code.endsWith("/USER") || code.endsWith("/GROUP")) {
    const user = property("User");
    return {
      text: `${text}: there is no user ${user}`,
      advice: [`make the user again: ${install}`],
    };
  }
  if (code.endsWith("/EXEC")) {
    const program = lastSetting(settings, "ExecStart");
    const path = program?.value.replace(/^[-@:+!]+/, "").split(" ")[0] ?? "";
    return { text: `${reason} (${path})`, advice: [`put the program there again: ${install}`] };
  }
  return { text: reason, advice: [`see which setting it names: journalctl -u ${name} -n 20`] };
}

function restart(name: string): string {
  return `systemctl daemon-reload && systemctl restart ${name}`;
}

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
  const text = `version ${version}, process ${pid}: ${
    problem ?? `a report was accepted ${ago} ago`
  }`;
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

/** The result for WebSockets of the running agent: whether they last. */
export function connectionsResult(health: Health | undefined): CheckResult {
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
    `the WebSockets to ${names} are closed soon after they open, ${first.shortConnections} in a row`,
    "see whether the panel shows the node as online while this agent is stopped: another machine " +
      "has the same token then",
    "see whether a proxy in front of the panel closes what is silent (nginx: proxy_read_timeout 60s)",
  );
}
