/**
 * The check of `doctor` of the installed service.
 *
 * @module
 */

import { isInContainerImage } from "../host/this_program.ts";
import { serviceText } from "../service/installed_service.ts";
import { updateServiceName } from "../service/update_service.ts";
import type { Health } from "../state/health_reader.ts";
import { type CheckResult, result } from "./checks.ts";
import {
  lastSetting,
  type LoadedUnit,
  settingText,
  type UnitSetting,
  variableFile,
} from "../service/loaded_unit.ts";
import { barrierTo, identityOf } from "./doctor_rights.ts";
import type { FoundService } from "./doctor_found_service.ts";
import { missingRequirement, unitFailure } from "./doctor_unit.ts";
import { missingUser } from "./doctor_unit_setup.ts";
import { counted } from "./help.ts";
import { duration, isPaused } from "./status.ts";
import {
  crash,
  hiddenPath,
  ofDropIns,
  restart,
  underSettings,
  type UnitFailure,
} from "./doctor_unit_settings.ts";
import { pausedResult } from "./doctor_agent.ts";
import { correction, missingProgram } from "./doctor_unit_program.ts";

/** A service that was started again so often, and a moment ago, will not last. */
const MANY_RESTARTS = 2;
const LATELY_STARTED_MS = 120_000;
/** Settings by which systemd, or the kernel, ends a service that works. */
const ENDING_SETTINGS = ["RuntimeMaxSec", "WatchdogSec", "LimitCPU", "MemoryMax"];

/** Settings by which a service is another user than its files are for, or does not see them. */
const DENYING_SETTINGS = ["DynamicUser", "User", "Group", "ProtectHome", "PrivateUsers"];

/** Settings under which a service may not get to its first report. */
const SLOWING_SETTINGS = ["CPUQuota", "MemoryHigh", "IOReadBandwidthMax", "IOReadIOPSMax"];

/** The result for the installed service, whose agent is seen by its `health`. */
export function serviceResult(found: FoundService, health: Health | undefined): CheckResult {
  const { advice, causes, ...shown } = ofService(found, health);
  const inPlace = (line: string) => commandsFor(found, line);
  return { ...shown, advice: advice && inPlace(advice), causes: causes?.map(inPlace) };
}

/** Advice whose commands work in the state of the service, and for a user's own systemd. */
function commandsFor({ scope, state }: FoundService, advice: string): string {
  const starts = /\bsystemctl (--user )?(?:re)?start ([^\s;]+)/g;
  const working = state?.isStartLimited === true
    ? advice.replace(starts, "systemctl $1reset-failed $2 && $&")
    : advice;
  return scope === "system"
    ? working
    : working.replace(/\b(systemctl|systemd-analyze) (?!--user)/g, "$1 --user ")
      .replace(/\bjournalctl -u/g, "journalctl --user -u");
}

function ofService(found: FoundService, health: Health | undefined): CheckResult {
  const { state, unit, install } = found;
  if (found.recordError !== "") {
    const [, file] = /^Cannot read (\/\S+): /.exec(found.recordError) ?? [];
    const advice = file && `remove it, and write it anew: rm ${file} && ${install}`;
    return result("failed", found.recordError, advice);
  }
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
  if (!state.isActive) {
    const stopped = stoppedResult(text, found);
    return { ...stopped, text: stopped.text + startsNoMore(found) };
  }
  if (health === undefined) return unseenResult(text, found);
  const restarts = Number(unit?.property("NRestarts") ?? 0);
  const seen = restarts > 0
    ? `${text}; systemd has started it again ${counted(restarts, "time")}`
    : text;
  const isLoaded = ["loaded", ""].includes(unit?.property("LoadState") ?? "");
  const hindrance = unit &&
    (isLoaded
      ? missingRequirement(unit, found.detail) ?? missingProgram(unit, install) ??
        (found.isUserMissing ? missingUser(unit, install) : undefined)
      : unitFailure(unit, found));
  if (hindrance !== undefined) {
    const text = `${seen}; it can't be started again: ${hindrance.text}`;
    return result("warning", text, ...hindrance.advice);
  }
  if (state.isEnabled === false) {
    return result("warning", seen, `start it at boot: ${state.enable}`);
  }
  if (state.updates === "failed") {
    const name = updateServiceName(state.name);
    const failed = `${seen}; its last update job failed`;
    const error = state.updatesError;
    return /Cannot /.test(error)
      ? result(
        "warning",
        `${failed}: ${error}`,
        `repair that, and have it look again: systemctl start ${name}`,
      )
      : result(
        "warning",
        error === "" ? failed : `${failed}: ${error}`,
        `see more in its log: journalctl -u ${name} -n 20`,
      );
  }
  if (state.updates === "stopped") {
    return result(
      "warning",
      `${seen}; the timer of its updates is not running`,
      `have it look for updates: ${state.enableUpdates}`,
    );
  }
  const { programVersion } = found;
  if (programVersion !== undefined && programVersion !== health.version) {
    return result(
      "warning",
      `${seen}; the agent that runs is of version ${health.version}, and its program on the disk ` +
        `of version ${programVersion}, which the next start takes`,
      `if that is the version that you want, start it: systemctl restart ${state.name}`,
      `else put the other one there: ${install}`,
    );
  }
  const runsForMs = Date.now() - (health.startedAtMs ?? 0);
  const limit = unit && underSettings("", { unit: ofDropIns(unit), names: ENDING_SETTINGS });
  const many = limit === undefined ? MANY_RESTARTS : 1;
  if (unit !== undefined && restarts >= many && runsForMs < LATELY_STARTED_MS) {
    return result(
      "warning",
      state.lastError === "" || limit !== undefined
        ? `${seen}, the last time ${duration(runsForMs)} ago${limit?.text ?? ""}`
        : `${seen}, the last time ${
          duration(runsForMs)
        } ago; the last error in its log: ${state.lastError}`,
      ...limit?.advice ?? [
        state.lastError === ""
          ? `see why it ended: journalctl -u ${unit.name} -n 50`
          : `if that is repaired by now, nothing is left to do; else see more: journalctl -u ${unit.name} -n 50`,
      ],
    );
  }
  if (unit?.property("NeedDaemonReload") === "yes") {
    const reload = `systemctl daemon-reload && systemctl restart ${unit.name}`;
    return result("warning", `${seen}; its files have changed since systemd read them`, reload);
  }
  return result("ok", seen);
}

/** A service that does not run: why, by systemd, else by the last error in its log. */
function stoppedResult(text: string, found: FoundService): CheckResult {
  const { state, unit } = found;
  const { start = "", logHint = "", lastError = "", lastLine = "" } = state ?? {};
  const why = unit &&
    (unitFailure(unit, found) ?? crash(unit, lastError) ?? hiddenPath(unit, lastError));
  if (/SyntaxError/.test(lastError)) {
    const damaged = `${text}: its program is damaged (${lastError})`;
    return result("failed", damaged, `put the program there again: ${found.install}`);
  }
  if (why !== undefined) {
    const isStarted = startsNoMore(found) === "" ||
      why.advice.some((line) => /\bsystemctl (?:re)?start /.test(line));
    const again = isStarted ? undefined : `start it: ${start}`;
    return result("failed", `${text}: ${why.text}`, ...why.advice, again);
  }
  if (lastError !== "") {
    const said = `${text}; the last error in its log: ${lastError}`;
    // This doctor has read the same file, which the error was about.
    if (isRepaired(lastError, found)) {
      return result("failed", `${said}; that is repaired by now`, `start it: ${start}`);
    }
    const few = unit && /files open at a time/.test(lastError)
      ? underSettings(said, { unit: ofDropIns(unit), names: ["LimitNOFILE"] })
      : undefined;
    if (few !== undefined) return result("failed", few.text, ...few.advice);
    const runtime = unit && barredRuntime(unit, lastError);
    if (runtime !== undefined) {
      return result("failed", `${said}; ${runtime.text}`, ...runtime.advice);
    }
    const set = unit && ofUnit(unit, lastError);
    if (set !== undefined) return result("failed", said, set);
    const denied = deniedFile(unit, lastError);
    const hidden = denied === undefined && unit && /permission denied/i.test(lastError)
      ? underSettings(said, { unit: ofDropIns(unit), names: DENYING_SETTINGS })
      : undefined;
    if (hidden !== undefined) return result("failed", hidden.text, ...hidden.advice);
    if (denied === undefined && /permission denied|not permitted/i.test(lastError)) {
      return result(
        "failed",
        said,
        "see whether SELinux or AppArmor refuses it: journalctl -k | grep -i -e avc -e apparmor",
        `see its rights: namei -l on that path; then: ${start}`,
      );
    }
    return denied === undefined
      ? result("failed", said, `repair that, and then: ${start}; its log: ${logHint}`)
      : result("failed", `${said}; ${denied.text}`, denied.ofUser, `${denied.repair} && ${start}`);
  }
  const code = unit?.property("ExecMainCode") === "1" ? unit.property("ExecMainStatus") : "0";
  const elsewhere = unit && lastLine === "" ? outputSetting(unit) : undefined;
  if (code !== "0" && unit !== undefined && elsewhere !== undefined) {
    const [, file] = /^(?:file|append|truncate):(.+)$/.exec(elsewhere.value) ?? [];
    return result(
      "failed",
      `${text}: it exited with code ${code}, and ${
        settingText(elsewhere)
      } keeps what it said from ` +
        "the log",
      elsewhere.name === "LogNamespace"
        ? `read what it said: journalctl --namespace ${elsewhere.value} -u ${unit.name} -n 20`
        : file === undefined
        ? `remove that setting, and its log will say why: ${restart(unit.name)}`
        : `read what it said: tail ${file}`,
    );
  }
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
  if (restarts > 0 || unit?.property("SubState") === "auto-restart") {
    const ended = restarts === 0
      ? `${text}: it ended by itself`
      : `${text}: it ends again and again, and systemd has started it ${counted(restarts, "time")}`;
    return result("failed", ended, (unit && correction(unit)) ?? `read its log: ${logHint}`);
  }
  return result("failed", `${text}: it was stopped`, `start it: ${start}`);
}

/** The setting by which errors of a unit's program don't go to its log. */
function outputSetting({ settings }: LoadedUnit): UnitSetting | undefined {
  const [error, output] = ["StandardError", "StandardOutput"].map((name) =>
    lastSetting(settings, name)
  );
  const namespace = lastSetting(settings, "LogNamespace");
  if (namespace !== undefined && namespace.value !== "") return namespace;
  const set = error === undefined || ["", "inherit"].includes(error.value) ? output : error;
  return set !== undefined && /^(?:null|tty|socket|fd:|file:|append:|truncate:)/.test(set.value)
    ? set
    : undefined;
}

/** Why systemd does not start again what has ended, which it does by its unit's own settings. */
function startsNoMore({ unit, state }: FoundService): string {
  const isLimited = state?.isStartLimited === true;
  const isLeft = unit?.property("Restart") === "no" && unit.property("ActiveState") === "failed";
  const setting = unit && lastSetting(unit.settings, isLimited ? "StartLimitBurst" : "Restart");
  const isSet = (isLimited || isLeft) && setting !== undefined;
  const reason = isSet ? settingText(setting) : isLimited ? "it was started too often" : undefined;
  return reason === undefined ? "" : `; ${reason}, so systemd does not start it again`;
}

/** How to correct what a unit's file gives the program, where an error is about that. */
function ofUnit(unit: LoadedUnit, lastError: string): string | undefined {
  for (const variable of lastError.match(/\b[A-Z][A-Z_]+\b/g) ?? []) {
    const file = variableFile(unit.settings, variable);
    if (file !== undefined) {
      return `correct ${variable} in ${file}, and then: ${restart(unit.name)}`;
    }
  }
  return /Cannot use flag|Cannot read --config/.test(lastError) ? correction(unit) : undefined;
}

/** A Deno that is there, and that the user of a service may not run. */
function barredRuntime(unit: LoadedUnit, lastError: string): UnitFailure | undefined {
  const [, deno = ""] = / (\/\S+) is not there, or not for this user/.exec(lastError) ?? [];
  const user = unit.property("User") || "root";
  const identity = deno === "" ? undefined : identityOf(user);
  const barrier = identity && barrierTo(deno, identity, "run");
  if (barrier === undefined) return undefined;
  const file = variableFile(unit.settings, "DENO");
  const name = file === undefined ? "" : `, write DENO=${SHARED_DENO} into ${file}`;
  return {
    text: `it is there, and user ${user} may not use ${barrier.path}`,
    advice: [
      `put Deno where every user may run it: install -m 755 ${deno} ${SHARED_DENO}${name}, and then: ` +
      restart(unit.name),
    ],
  };
}

/** Where each user finds and may run it. */
const SHARED_DENO = "/usr/local/bin/deno";

/** Whether an error was about the configuration that this process has read without one. */
function isRepaired(lastError: string, { readConfig }: FoundService): boolean {
  return readConfig !== undefined && /^(?:\S+: )?Cannot use /.test(lastError) &&
    lastError.includes(readConfig);
}

/** A file in an error that its user may not read, and what is in the way. */
function deniedFile(
  unit: LoadedUnit | undefined,
  lastError: string,
): { text: string; ofUser: string | undefined; repair: string } | undefined {
  const [, path] = / (\/\S+): permission denied/i.exec(lastError) ?? [];
  const user = unit?.property("User") ?? "";
  const identity = path === undefined ? undefined : identityOf(user || "root");
  const barrier = path !== undefined && identity ? barrierTo(path, identity) : undefined;
  const set = unit && lastSetting(ofDropIns(unit).settings, "User");
  return barrier && {
    ofUser: unit && set &&
      `if it is to be another user, correct ${settingText(set)}, and then: ${restart(unit.name)}`,
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
    const unseen =
      `${text} as process ${pid}, but its health file ${runtimeFolder}/health is not there`;
    const slowed = unit &&
      underSettings(unseen, { unit: ofDropIns(unit), names: SLOWING_SETTINGS });
    if (slowed !== undefined) return result("failed", slowed.text, ...slowed.advice);
    const setting = unit && lastSetting(ofDropIns(unit).settings, "RuntimeDirectory");
    if (unit !== undefined && setting !== undefined) {
      const advice = `remove ${settingText(setting)}, and then: ${restart(unit.name)}`;
      return result("failed", unseen, advice);
    }
    return result(
      "failed",
      unseen,
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
