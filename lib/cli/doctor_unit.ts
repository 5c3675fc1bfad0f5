/**
 * Why systemd does not run the unit of the installed service, in its own words.
 *
 * @module
 */

import { type LoadedUnit, placeOf, settingText, variableFile } from "../service/loaded_unit.ts";
import { attempt } from "../attempt.ts";
import { asRoot } from "./doctor_commands.ts";
import { enableNow, type FoundService, jobOf, relations } from "./doctor_found_service.ts";
import { isMissing } from "./doctor_unit_program.ts";
import {
  type FoundUnit,
  restart,
  underSettings,
  type UnitFailure,
  withCandidates,
} from "./doctor_unit_settings.ts";
import { SET_UP_FAILURES, setUpFailure } from "./doctor_unit_setup.ts";
import { unreadableUnit } from "./doctor_unit_lines.ts";

/** Results by which systemd says that it has ended a unit itself, and settings by which it does. */
const RESULT_SETTINGS: Readonly<Record<string, readonly string[]>> = {
  timeout: ["RuntimeMaxSec", "TimeoutStartSec", "TimeoutSec", "Type"],
  watchdog: ["WatchdogSec"],
  protocol: ["Type", "PIDFile"],
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

/** Another unit by which this one can't be started, or has stopped. */
export function missingRequirement(unit: LoadedUnit, detail: string): UnitFailure | undefined {
  const isDown = ["inactive", "failed"].includes(unit.property("ActiveState"));
  for (const block of detail.split("\n\n")) {
    const [, id = ""] = /^Id=(.+)$/m.exec(block) ?? [];
    const [, state = ""] = /^ActiveState=(.+)$/m.exec(block) ?? [];
    const set = relations(unit).find(({ value }) => value.split(/\s+/).includes(id));
    if (set === undefined) continue;
    const { name } = set;
    const isNeeded = name !== "Conflicts" && name !== "PartOf";
    if (isNeeded && /^LoadState=(not-found|masked)$/m.test(block)) {
      const text = `${settingText(set)} needs ${id}, which is not there`;
      const advice = `install that, or remove the setting, and then: ${restart(unit.name)}`;
      return { text, advice: [advice] };
    }
    if (isNeeded && state === "failed") {
      const text = `${settingText(set)} needs ${id}, which has failed`;
      return { text, advice: [`see why: systemctl status ${id}`] };
    }
    // With Requires= systemd starts it, and one that has ended since is no hindrance.
    const stops = name === "BindsTo" || name === "Requisite" || (name === "PartOf" && isDown);
    if (stops && state === "inactive") {
      return {
        text: `by ${settingText(set)} it stops with ${id}, which does not run`,
        advice: [
          `start both: systemctl start ${id} ${unit.name}`,
          `see why: systemctl status ${id}`,
        ],
      };
    }
    if (name === "Conflicts" && isDown && state === "active") {
      return {
        text: `by ${settingText(set)} it does not run beside ${id}, which runs`,
        advice: [`where this one is to run: systemctl stop ${id} && systemctl start ${unit.name}`],
      };
    }
  }
  return undefined;
}

/** Why systemd does not run a unit, in its words; `undefined` where the program says it itself. */
export function unitFailure(unit: FoundUnit, found: FoundService): UnitFailure | undefined {
  const { name } = unit;
  const start = `systemctl start ${name}`;
  const load = unit.property("LoadState");
  if (load === "masked") {
    const file = unit.property("FragmentPath");
    const text = attempt(() => Deno.lstatSync(file).isFile) === true
      ? `${file} is empty, by which it is masked, so nothing can start it`
      : "it is masked, so nothing can start it";
    // A mask in /etc stands where `install` writes the unit, and has taken its place.
    const isKept = unit.property("FragmentPath") !== `/etc/systemd/system/${name}` ||
      ["/usr/lib", "/lib"].some((folder) => !isMissing(`${folder}/systemd/system/${name}`));
    const unmask = asRoot(`systemctl unmask ${name}`);
    return { text, advice: [`${unmask} && ${isKept ? asRoot(start) : found.install}`] };
  }
  if (load === "not-found") {
    return { text: "systemd finds no unit of it", advice: [`write it anew: ${found.install}`] };
  }
  if (load !== "loaded" && load !== "") return unreadableUnit(load, unit, found.detail);
  const job = jobOf(unit);
  const unfinished = job && (unfinishedJob(unit) ?? queuedFailure(job, { unit, found }));
  if (unfinished) return unfinished;
  const required = missingRequirement(unit, found.detail);
  if (required !== undefined) return required;
  if (unit.property("ConditionTimestampMonotonic") === "0") {
    const text = "nothing has started it since it was stopped or the machine was started";
    const { state } = found;
    return {
      kind: "unstarted",
      text,
      advice: [
        state?.isEnabled === false
          ? `start it, now and at boot: ${enableNow(state)}`
          : `start it: ${start}`,
      ],
    };
  }
  const before = failureBeside(unit);
  if (before !== undefined) return before;
  const isUnmet = unit.property("ConditionResult") === "no" ||
    unit.property("AssertResult") === "no";
  const [code, status] = [unit.property("ExecMainCode"), unit.property("ExecMainStatus")];
  // Stopped before it listens for signals, it has ended by SIGTERM.
  const hasEndedWell = status === "0" || (code === "2" && status === "15");
  if (isUnmet && hasEndedWell) return unmetCondition(unit, found.detail);
  const systemResult = unit.property("Result");
  if (systemResult === "oom-kill") return memoryFailure(unit);
  const names = RESULT_SETTINGS[systemResult];
  const text = names === undefined
    ? `systemd gave up (Result=${systemResult})`
    : `systemd has ended it (Result=${systemResult})`;
  const limits = names && underSettings(text, unit, names);
  if (limits !== undefined) return limits;
  // Ended by SIGTERM it was stopped, which is a success.
  if (systemResult !== "success" && (code === "2" || code === "3")) {
    return signalFailure(status, unit, found.state?.lastError ?? "");
  }
  if (code === "1" && SET_UP_FAILURES[status] !== undefined) {
    return setUpFailure(status, unit, found);
  }
  if (["exit-code", "success", ""].includes(systemResult)) return undefined;
  const missing = unit.settings.findLast(({ name, value }) =>
    name === "EnvironmentFile" && value.startsWith("/") && isMissing(value)
  );
  if (systemResult === "resources" && missing !== undefined) {
    return {
      text: `${text}: there is no environment file ${missing.value}`,
      advice: [`write it, or remove ${settingText(missing)}, and then: ${restart(name)}`],
    };
  }
  const { lastError = "", logHint } = found.state ?? {};
  return withCandidates(
    lastError === "" ? text : `${text}: ${lastError}`,
    unit,
    `its log: ${logHint}`,
  );
}

/** A condition or assertion under which systemd starts a unit, and which is not met. */
function unmetCondition({ name, settings }: LoadedUnit, detail: string): UnitFailure {
  const [, unmet] = /\b((?:Condition|Assert)\w+=.*) was not met/.exec(detail) ?? [];
  const set = settings.findLast((it) => `${it.name}=${it.value}` === unmet);
  if (unmet === undefined) {
    return {
      text: "a condition of its unit is not met, so it was not started",
      advice: [`see which (Condition…= in its files): systemctl status ${name}`],
    };
  }
  const where = set === undefined ? unmet : settingText(set);
  return {
    text: `${where} is not met, so it was not started`,
    advice: [`fulfil it, or remove it there, and then: ${restart(name)}`],
  };
}

/** A command beside the program that has failed, so that systemd did not start the program, or ended it. */
function failureBeside({ name, property, settings }: LoadedUnit): UnitFailure | undefined {
  const [failed] = (["ExecCondition", "ExecStartPre", "ExecStartPost"] as const).flatMap(
    (setting) => {
      const [, path = "", status] =
        /path=(\S+) ;.* ignore_errors=no ;.* code=(?:exited|killed) ; status=([1-9]\S*)/
          .exec(property(setting)) ?? [];
      return status === undefined ? [] : [{ setting, path, status }];
    },
  );
  if (failed === undefined) return undefined;
  const { setting, path, status } = failed;
  const set = settings.findLast((it) => it.name === setting && it.value.includes(path));
  const where = set === undefined ? property("FragmentPath") : placeOf(set);
  return {
    text: property("Result") === "timeout"
      ? `${path} of ${setting}= in ${where} did not end in time (TimeoutStartSec=)`
      : `${path} of ${setting}= in ${where} ended with code ${status}`,
    advice: [`repair it, or remove it there, and then: ${restart(name)}`],
  };
}

/** Steps of a start or stop by which systemd waits for the unit itself, and the settings that say for what. */
const STEPS: Readonly<Record<string, readonly string[]>> = {
  condition: ["ExecCondition"],
  "start-pre": ["ExecStartPre"],
  start: ["Type"],
  "start-post": ["ExecStartPost"],
  stop: ["ExecStop"],
  "stop-post": ["ExecStopPost"],
};

/** A start or stop that goes on; `undefined` where it has not begun. */
function unfinishedJob(unit: FoundUnit): UnitFailure | undefined {
  const step = unit.property("SubState");
  const isStopping = unit.property("ActiveState") === "deactivating";
  const names = STEPS[step] ?? (isStopping ? [] : undefined);
  if (names === undefined) return undefined;
  const text = isStopping
    ? `systemd is still stopping it (${step})`
    : `systemd is still starting it (${step})`;
  return underSettings(text, unit, names) ??
    { text, advice: [`see how far it is: systemctl status ${unit.name}`] };
}

/** A start that waits for other units. */
function queuedFailure(
  job: string,
  { unit, found: { detail } }: { unit: LoadedUnit; found: FoundService },
): UnitFailure | undefined {
  const running = detail.split("\n").flatMap((line) => {
    const [id = "", unit = "", , state = ""] = line.trim().split(/\s+/);
    return id !== job && state === "running" ? [unit] : [];
  });
  const text = `its start is queued (job ${job})`;
  // A start that is repeated is queued for a moment.
  if (running.length === 0 && Number(unit.property("NRestarts")) > 0) return undefined;
  if (running.length === 0) {
    return { text, advice: ["see what it waits for: systemctl list-jobs --after"] };
  }
  const [first] = running;
  return {
    text: `${text} while systemd still starts ${running.join(", ")}`,
    advice: [`see why that takes so long: systemctl status ${first}`],
  };
}

function memoryFailure(unit: FoundUnit): UnitFailure {
  const text = "the kernel killed it, because memory was used up (Result=oom-kill)";
  return underSettings(text, unit, ["MemoryMax"]) ??
    { text, advice: ["see what uses it: free -m; journalctl -k"] };
}

function signalFailure(status: string, unit: FoundUnit, lastError: string): UnitFailure {
  const [signal, candidates] = SIGNALS[status] ?? [`signal ${status}`, []];
  const ended = `its process was ended by ${signal}`;
  const text = lastError === "" ? ended : `${ended}; the last error in its log: ${lastError}`;
  const flags = variableFile(unit.settings, "DENO_V8_FLAGS");
  if (/out of memory/.test(lastError) && flags !== undefined) {
    return { text, advice: [`remove DENO_V8_FLAGS in ${flags}, and then: ${restart(unit.name)}`] };
  }
  const killed = `see whether the kernel killed it: journalctl -k | grep -i -e oom -e ${signal}`;
  const last = `see what it said last: journalctl -u ${unit.name} -n 30`;
  return underSettings(text, unit, candidates) ??
    (signal === "SIGKILL" ? { text, advice: [killed, last] } : withCandidates(text, unit, last));
}
