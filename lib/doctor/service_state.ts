/**
 * Whether the installed service runs, and if not, why: by what its manager says.
 *
 * @module
 */

import { isInContainerImage } from "../host/this_program.ts";
import type { ServiceState } from "../service/installed_service.ts";
import { lastSetting, type LoadedUnit, settingText } from "./loaded_unit.ts";
import { counted, duration } from "../parse/quantity.ts";
import type { Health } from "../state/health_reader.ts";
import { isPaused } from "./agent_problems.ts";
import { failed, type Finding, finding, ok, skipped, warning } from "./check.ts";
import { candidates, type FoundService } from "./found_service.ts";
import { asRoot, restart } from "./options.ts";
import { byLastError, type Known } from "./service_log.ts";

/** A service that was started again so often, and a moment ago, will not last. */
const MANY_RESTARTS = 2;
const LATELY_STARTED_MS = 20_000;
/** One that was killed so lately may be killed again. */
const LATELY_KILLED_MS = 3_600_000;

/** Judges the installed service, whose agent is seen by its `health`. */
export function judgeService(found: FoundService, health: Health | undefined): Finding {
  const shown = withUnread(ofService(found, health), found);
  // Advice whose commands work for a user's own systemd.
  const { scope } = found;
  const advice = shown.advice.map((line) =>
    scope === "system" ? line : line.replace(/\b(?:systemctl|journalctl)\b/g, "$& --user")
  );
  return { ...shown, advice };
}

/** A finding with what systemd has not read yet of the unit's files. */
function withUnread(shown: Finding, { unit }: FoundService): Finding {
  if (unit?.property("NeedDaemonReload") !== "yes" || shown.status === "skipped") return shown;
  const unread = "its files have changed since systemd read them";
  const status = shown.status === "ok" ? "warning" : shown.status;
  const reload = `have systemd read them: ${restart(unit.name)}`;
  return finding(status, `${shown.text}; ${unread}`, reload, ...shown.advice);
}

function ofService(found: FoundService, health: Health | undefined): Finding {
  const { state, unit, install, recordError } = found;
  if (recordError !== "") {
    const [, file] = /^Cannot read (\/\S+): .*(?:Cannot parse|JSON)/.exec(recordError) ?? [];
    return failed(
      recordError,
      file === undefined
        ? "run it as root (sudo), which may read it"
        : `remove it, and write it anew: ${asRoot(`rm ${file}`)} && ${install}`,
    );
  }
  if (state === undefined) {
    if (unit?.property("LoadState") === "loaded") {
      const file = unit.property("FragmentPath");
      return failed(
        `${file} is there, but the record of its installation is not`,
        `write the record anew: ${install}`,
      );
    }
    return isInContainerImage()
      ? skipped("not used in a container")
      : skipped("not installed as a service", "`install` starts it at every boot");
  }
  const isSystemd = state.manager === "systemd";
  if (state.isActive === undefined || (isSystemd && unit === undefined)) {
    return finding(
      health === undefined ? "failed" : "warning",
      isSystemd
        ? `systemctl does not answer, so the state of ${state.name} is unknown`
        : serviceText(state),
      isSystemd && found.scope === "system" &&
        "see what systemd itself says: journalctl -b _PID=1 -n 20",
      isSystemd && found.scope === "user" && "ask it in a login of its user, not by su or sudo -u",
    );
  }
  const text = serviceText(state, unit);
  if (!state.isActive) return stopped(text, { state, found });
  return health === undefined
    ? unseen(text, { state, found })
    : running(text, { state, health, found });
}

/** How often systemd has started a service again, and how it has ended before, behind a text. */
function withRestarts(text: string, { state, found: { unit } }: Known): [string, number] {
  const restarts = Number(unit?.property("NRestarts") ?? 0);
  const death = restarts === 0 || state.lastDeath === "" ? "" : `: before, ${state.lastDeath}`;
  const times = `; systemd has started it again ${counted(restarts, "time")}`;
  return [restarts === 0 ? text : `${text}${times}${death}`, restarts];
}

/** A service whose agent is seen: what has ended it before, or hinders its next start. */
function running(
  text: string,
  { state, health, found }: Known & { health: Health },
): Finding {
  const { unit } = found;
  const [seen, restarts] = withRestarts(text, { state, found });
  if (!["loaded", ""].includes(unit?.property("LoadState") ?? "")) {
    const trouble = unloaded(seen, { state, found });
    if (trouble !== undefined) return { ...trouble, status: "warning" };
  }
  if (state.isEnabled === false) return warning(seen, `start it at boot: ${state.enable}`);
  const runsForMs = Date.now() - (health.startedAtMs ?? 0);
  const log = `see why it ended: journalctl -u ${state.name} -n 50`;
  const lately = `${seen}, the last time ${duration(runsForMs)} ago`;
  if (restarts > 0 && /SIGKILL|memory/.test(state.lastDeath) && runsForMs < LATELY_KILLED_MS) {
    return warning(
      lately,
      "see whether there is too little memory: free -m; journalctl -k | grep -i oom",
      log,
    );
  }
  if (restarts >= MANY_RESTARTS && runsForMs < LATELY_STARTED_MS) {
    const error = state.lastError === "" ? "" : `; the last error in its log: ${state.lastError}`;
    return warning(lately + error, log);
  }
  return ok(seen);
}

/** A service that runs, and whose agent is not seen. */
function unseen(text: string, { state, found }: Known): Finding {
  const { unit, runtimeFolder } = found;
  const [again, restarts] = withRestarts(text, { state, found });
  // The log of a run before this one says nothing of it, unless systemd has started that again by itself.
  if (restarts > 0 && state.lastError !== "") return byLastError(text, { state, found });
  const pid = Number(unit?.property("MainPID") ?? 0);
  if (isPaused(pid)) return paused(text, pid);
  return failed(
    `${again}, and its agent was not found: its health file would be ${runtimeFolder}/health`,
    "if it was started a moment ago, ask again in some seconds",
    `see what it says: ${state.logHint.replace(/ -f$/, " -n 30")}`,
    candidates(found)?.look ?? `have its files made again: systemctl restart ${state.name}`,
  );
}

/** A process that a signal has stopped. */
export function paused(text: string, pid: number): Finding {
  return failed(
    `${text}; its process ${pid} was stopped by a signal (state T)`,
    `let it go on: kill -CONT ${pid}`,
  );
}

/** A unit that systemd has not loaded; `undefined` where it has. */
function unloaded(text: string, { found: { unit, install } }: Known): Finding | undefined {
  const load = unit?.property("LoadState") ?? "";
  if (unit === undefined || load === "loaded" || load === "") return undefined;
  if (load === "masked") {
    const unmask = asRoot(`systemctl unmask ${unit.name}`);
    return failed(`${text}: it is masked, so nothing can start it`, `${unmask} && ${install}`);
  }
  if (load === "not-found") {
    return failed(`${text}: systemd finds no unit of it`, `write it anew: ${install}`);
  }
  return failed(
    `${text}: systemd can't read its unit (${load})`,
    `see what is wrong in it: systemd-analyze verify ${unit.name}`,
    candidates({ unit, install })?.look,
    `or have the unit written anew: ${install}`,
  );
}

/** A service that does not run: why, by systemd, else by the last error in its log. */
function stopped(text: string, { state, found }: Known): Finding {
  const { unit } = found;
  const { start, lastError, logHint } = state;
  const property: LoadedUnit["property"] = (name) => unit?.property(name) ?? "";
  const trouble = unloaded(text, { state, found });
  if (trouble !== undefined) return trouble;
  const isRepeated = property("SubState").startsWith("auto-restart");
  if (["activating", "deactivating"].includes(property("ActiveState")) && !isRepeated) {
    return failed(
      `${text} (${property("SubState")})${candidates(found)?.text ?? ""}`,
      `see what it waits for: systemctl status ${unit?.name}; systemctl list-jobs --after`,
    );
  }
  const job = property("Job");
  if (!["", "0"].includes(job) && !isRepeated) {
    return failed(
      `${text}: its start is queued (job ${job})`,
      "see what it waits for: systemctl list-jobs --after",
    );
  }
  const isUnmet = property("ConditionResult") === "no" || property("AssertResult") === "no";
  if (isUnmet && property("ConditionTimestampMonotonic") !== "0") {
    return failed(
      `${text}: a condition of its unit is not met, so it was not started`,
      `see which (Condition…=, Assert…=): systemctl status ${unit?.name}`,
    );
  }
  if (property("ConditionTimestampMonotonic") === "0") {
    const now = state.enable.includes(" enable ")
      ? `${state.enable} --now`
      : `${state.enable} && ${start}`;
    return failed(
      `${text}: systemd knows of no start of it, as after a boot or systemctl disable --now`,
      state.isEnabled === false ? `start it, now and at boot: ${now}` : `start it: ${start}`,
    );
  }
  if (property("Result") === "oom-kill") {
    const limit = lastSetting(found.settings, "MemoryMax");
    const why = limit === undefined ? "" : ` (${settingText(limit)})`;
    return failed(
      `${text}: the kernel killed it, because memory was used up${why}`,
      "see what uses it: free -m; journalctl -k | grep -i oom",
      `then start it: ${start}`,
    );
  }
  if (lastError !== "") return byLastError(text, { state, found });
  const [code, status] = [property("ExecMainCode"), property("ExecMainStatus")];
  const isClean = code === "" || code === "0" || (code === "1" && status === "0") ||
    (code === "2" && status === "15");
  if (isClean && ["success", ""].includes(property("Result")) && !isRepeated) {
    return failed(`${text}: it was stopped`, `start it: ${start}`);
  }
  const step = STEPS[status];
  const ended = code === "2" || code === "3"
    ? `signal ${status}`
    : step === undefined
    ? `code ${status}`
    : `${status}/${step}, before systemd could start its program`;
  const result = property("Result");
  const said = state.isLogHidden
    ? "this user may not read its log"
    : state.lastLine === ""
    ? "its log does not say why"
    : `the last line of its log: ${state.lastLine}`;
  const added = candidates(found);
  return failed(
    `${text}: it ended with ${ended} (Result=${result}); ${said}${added?.text ?? ""}`,
    `read its log: ${logHint.replace(/ -f$/, " -n 30")}`,
    added?.look,
  );
}

/** Exit codes by which systemd says at which step it could not set a process up (systemd.exec(5)). */
const STEPS: Readonly<Record<string, string>> = {
  ...{ "200": "CHDIR", "203": "EXEC", "216": "GROUP", "217": "USER", "226": "NAMESPACE" },
};

/** The state in words; `unit` is the same in systemd's, by which one that can't be loaded starts at no boot. */
export function serviceText(
  { name, manager, isActive, isEnabled }: ServiceState,
  unit?: LoadedUnit,
): string {
  if (isActive === undefined) {
    return `${name} (${manager}) may or may not run: ${manager} does not answer`;
  }
  const transition = isActive ? undefined : unit && transitionOf(unit);
  const active = transition ?? (isActive ? "is running" : "is not running");
  // What is being started needs no word on the next boot.
  if (transition !== undefined && isEnabled) return `${name} (${manager}) ${active}`;
  const isLoaded = ["loaded", ""].includes(unit?.property("LoadState") ?? "");
  const enabled = !isLoaded
    ? "and can't be started at boot"
    : isEnabled === false
    ? "and does not start at boot"
    : isEnabled
    ? "and starts at boot"
    : "and may or may not start at boot";
  return `${name} (${manager}) ${active}, ${enabled}`;
}

/** What systemd does with a service that does not run, or has in mind. */
function transitionOf({ property }: LoadedUnit): string | undefined {
  const state = property("ActiveState");
  if (state === "deactivating") return "is being stopped";
  if (state !== "activating") return undefined;
  return property("SubState").startsWith("auto-restart")
    ? "has ended, and systemd starts it again in a moment"
    : "is being started";
}
