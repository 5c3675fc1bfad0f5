/**
 * Why the installed service does not run: by systemd, else by the last error in its log.
 *
 * @module
 */

import {
  lastSetting,
  type LoadedUnit,
  settingText,
  type UnitSetting,
} from "../service/loaded_unit.ts";
import { type CheckResult, failed } from "./checks.ts";
import type { FoundService } from "./doctor_found_service.ts";
import { barrierTo, HOMES, identityOf, realPath, refusalCheck } from "./doctor_rights.ts";
import { unitFailure } from "./doctor_unit.ts";
import { loggedFailure } from "./doctor_unit_setup.ts";
import { correction, correctionOf, withSimilar } from "./doctor_unit_program.ts";
import {
  changedSetting,
  crash,
  type FoundUnit,
  hiddenPath,
  restart,
  underSettings,
  withCandidates,
} from "./doctor_unit_settings.ts";
import { inPlace } from "./doctor_commands.ts";
import { hasRuntimeAgain, missingRuntime } from "./doctor_runtime.ts";

/** Settings by which a service is another user than its files are for, or does not see them. */
const DENYING_SETTINGS = ["DynamicUser", "User", "Group", "ProtectHome", "PrivateUsers"];

/** Settings by which systemd, or the kernel, ends a service that works, by the result that it has then. */
export const ENDING_SETTINGS: Readonly<Record<string, readonly string[]>> = {
  timeout: ["RuntimeMaxSec"],
  watchdog: ["WatchdogSec"],
  "oom-kill": ["MemoryMax"],
  signal: ["LimitCPU", "MemoryMax"],
  // The log is not for this user.
  "": ["RuntimeMaxSec", "WatchdogSec", "LimitCPU", "MemoryMax"],
};

/** How the program begins an error, which says all that it knows of the cause. */
const OF_PROGRAM = /\bCannot /;

/** How a runtime says that it can't read the program. */
const DAMAGED = /SyntaxError| is damaged: /;

/** A service that does not run: why, by systemd, else by the last error in its log. */
export function stoppedResult(text: string, found: FoundService): CheckResult {
  const { state, unit } = found;
  const { start = "", logHint = "", lastError = "" } = state ?? {};
  const why = unit &&
    (unitFailure(unit, found) ?? hiddenPath(unit, lastError) ?? crash(unit, lastError));
  if (why !== undefined && !DAMAGED.test(lastError)) {
    const isStarted = startsNoMore(found) === "" ||
      why.advice.some((line) => /\bsystemctl (?:re)?start /.test(line ?? ""));
    const again = isStarted ? undefined : `start it: ${start}`;
    return { ...failed(`${text}: ${why.text}`, ...why.advice, again), kind: why.kind };
  }
  if (lastError !== "") return errorResult(text, found);
  const code = unit?.property("ExecMainCode") === "1" ? unit.property("ExecMainStatus") : "0";
  if (code !== "0") return unexplainedResult(text, code, found);
  // An inactive service was stopped, however often it was started before.
  const isStopped = unit?.property("ActiveState") === "inactive";
  const restarts = isStopped ? 0 : Number(unit?.property("NRestarts") ?? 0);
  if (restarts > 0 || unit?.property("SubState") === "auto-restart") {
    // systemd forgets its result at the next start, and its log does not.
    const names = ENDING_SETTINGS[state?.lastResult ?? ""] ?? [];
    const limit = unit && underSettings(`${text}: systemd has ended it`, unit, names);
    if (limit !== undefined) return failed(limit.text, ...limit.advice);
    return unexplained(`${text}: it ended by itself`, unit, `read its log: ${logHint}`);
  }
  return { ...failed(`${text}: it was stopped`, `start it: ${start}`), kind: "unstarted" };
}

/** A service that has ended with a code, and whose log does not tell why. */
function unexplainedResult(text: string, code: string, { state, unit }: FoundService): CheckResult {
  const { logHint = "", lastLine = "", isLogHidden = false } = state ?? {};
  const elsewhere = unit && lastLine === "" && !isLogHidden ? outputSetting(unit) : undefined;
  const correct = unit && correction(unit);
  if (unit === undefined || elsewhere === undefined) {
    const said = isLogHidden
      ? `${text}: it exited with code ${code}, and its log is not for this user`
      : lastLine === ""
      ? `${text}: it exited with code ${code}, and its log does not say why`
      : `${text}: it exited with code ${code}; the last line of its log: ${lastLine}`;
    const found = unexplained(said, unit, `read its log: ${logHint}`);
    return { ...found, kind: "unexplained" };
  }
  const [, file] = /^(?:file|append|truncate):(.+)$/.exec(elsewhere.value) ?? [];
  const where = settingText(elsewhere);
  const found = failed(
    `${text}: it exited with code ${code}, and ${where} keeps what it said from the log`,
    correct,
    elsewhere.name === "LogNamespace"
      ? `read what it said: journalctl --namespace ${elsewhere.value} -u ${unit.name} -n 20`
      : file === undefined
      ? `remove that setting, and its log will say why: ${restart(unit.name)}`
      : `read what it said: tail ${file}`,
  );
  return { ...found, kind: "unexplained" };
}

/** A failure whose cause is not known, with what may be it in the unit. */
export function unexplained(
  text: string,
  unit: FoundUnit | undefined,
  advice: string,
): CheckResult {
  const correct = unit && correction(unit);
  if (unit === undefined || correct !== undefined) return failed(text, correct, advice);
  const found = withCandidates(text, unit, advice);
  return failed(found.text, ...found.advice);
}

/** The last error in the log of a service, and advice about it. */
export function errorResult(text: string, found: FoundService): CheckResult {
  const { state, unit } = found;
  const { start = "", logHint = "", lastError = "" } = state ?? {};
  if (DAMAGED.test(lastError)) {
    const damaged = `${text}: its program is damaged (${lastError})`;
    return failed(damaged, `put the program there again: ${found.install}`);
  }
  const setUp = unit && loggedFailure(unit, found);
  if (setUp !== undefined) return failed(`${text}: ${setUp.text}`, ...setUp.advice);
  const [, missing] = /^Cannot read .* (\/\S+): no such file$/.exec(lastError) ?? [];
  const error = missing === undefined ? lastError : withSimilar(lastError, missing);
  const said = `${text}; the last error in its log: ${error}`;
  // This doctor has read the same file, or finds the program that was missed.
  if (isRepaired(lastError, found) || (unit && hasRuntimeAgain(unit, lastError))) {
    return failed(`${said}; that is repaired by now`, `start it: ${start}`);
  }
  const few = unit && /files open at a time/.test(lastError)
    ? underSettings(said, unit, ["LimitNOFILE"])
    : undefined;
  if (few !== undefined) return failed(few.text, ...few.advice);
  const [, old] = / (\/\S+) is deno \S+; update it: /.exec(lastError) ?? [];
  if (old !== undefined) {
    return failed(
      said,
      `bring that Deno up to date: ${old} upgrade && ${start}`,
      unit && correctionOf(unit, lastError),
    );
  }
  const runtime = unit && missingRuntime(unit, lastError);
  if (runtime !== undefined) return failed(`${said}; ${runtime.text}`, ...runtime.advice);
  const set = unit && correctionOf(unit, lastError);
  const [, broken] = / (\/\S+), and does not run$/.exec(lastError) ?? [];
  if (broken !== undefined) {
    const look = `see what it says, and put one in its place that runs here: ${broken} --version`;
    return failed(said, look, set);
  }
  if (set !== undefined) return failed(said, set);
  // Its user has another number than that of its files.
  const isDynamic = unit && changedSetting(unit, "DynamicUser")?.value === "yes";
  const denied = isDynamic ? undefined : deniedFile(lastError, found);
  const hidden = denied === undefined && unit && /permission denied/i.test(lastError)
    ? underSettings(said, unit, DENYING_SETTINGS)
    : undefined;
  if (hidden !== undefined) return failed(hidden.text, ...hidden.advice);
  if (denied === undefined && /permission denied|not permitted/i.test(lastError)) {
    return failed(said, `see its rights: namei -l on that path; then: ${start}`, refusalCheck());
  }
  if (denied !== undefined) {
    return failed(`${said}; ${denied.text}`, denied.ofUser, denied.repair);
  }
  const config = found.record?.config;
  const isOfConfig = /^(?:\S+: )?Cannot use /.test(lastError) &&
    config !== undefined && lastError.includes(config);
  const repair = isOfConfig
    ? `correct that, and have it used: ${found.install}`
    : `repair that, and then: ${start}; its log: ${logHint}`;
  return OF_PROGRAM.test(lastError) ? failed(said, repair) : unexplained(said, unit, repair);
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
export function startsNoMore({ unit, state }: FoundService): string {
  const isLimited = state?.isStartLimited === true;
  const isLeft = unit?.property("Restart") === "no" && unit.property("ActiveState") === "failed";
  const setting = unit && lastSetting(unit.settings, isLimited ? "StartLimitBurst" : "Restart");
  const isSet = (isLimited || isLeft) && setting !== undefined;
  const reason = isSet ? settingText(setting) : isLimited ? "it was started too often" : undefined;
  return reason === undefined ? "" : `; ${reason}, so systemd does not start it again`;
}

/** Whether an error was about the configuration that this process has read without one. */
function isRepaired(lastError: string, { readConfig }: FoundService): boolean {
  return readConfig !== undefined && /^(?:\S+: )?Cannot use /.test(lastError) &&
    lastError.includes(readConfig);
}

/** A file in an error that its user may not read, and what is in the way. */
function deniedFile(
  lastError: string,
  { unit, state, install }: FoundService,
): { text: string; ofUser: string | undefined; repair: string } | undefined {
  const [, path] = / (\/\S+): permission denied/i.exec(lastError) ?? [];
  const user = unit?.property("User") ?? "";
  const identity = path === undefined ? undefined : identityOf(user || "root");
  const barrier = path !== undefined && identity ? barrierTo(path, identity) : undefined;
  if (path === undefined || barrier === undefined) return undefined;
  const file = realPath(path);
  const set = unit && changedSetting(unit, "User");
  return {
    ofUser: unit && set &&
      `if it is to be another user, correct ${settingText(set)}, and then: ${restart(unit.name)}`,
    text: `user ${user || "root"} may not use ${barrier.path}`,
    repair: /^(?:\S+: )?Cannot read token_file /.test(lastError)
      ? `have it copied into the configuration: ${install} --token-file ${path}`
      : HOMES.test(barrier.path)
      ? path === file
        ? "put it where that user may read it, and name that one"
        : `put the file itself in the place of its link: ${
          inPlace(file, path, `-m 640 -g ${identity?.gids[0]}`)
        } && ${state?.start}`
      : `let it: ${barrier.repair} && ${state?.start}`,
  };
}
