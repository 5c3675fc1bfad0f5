/**
 * Why systemd does not run the unit of the installed service, in its own words.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { ToolCommand } from "../host/tool_runner.ts";
import { accountNames } from "../parse/passwd.ts";
import type { ServiceState } from "../service/installed_service.ts";
import type { ServiceScope } from "../service/service_paths.ts";
import {
  lastSetting,
  type LoadedUnit,
  settingText,
  type UnitSetting,
} from "../service/loaded_unit.ts";
import { isMissing, programFailure } from "./doctor_unit_program.ts";
import { ofDropIns, restart, underSettings, type UnitFailure } from "./doctor_unit_settings.ts";

/** The installed service, as it is found. */
export interface FoundService {
  /** `undefined` where nothing is recorded as installed. */
  readonly state: ServiceState | undefined;
  /** Why the record of its installation can't be read; empty where it can, or is not there. */
  readonly recordError: string;
  /** The same in systemd's words; `undefined` for other managers. */
  readonly unit: LoadedUnit | undefined;
  /** What {@linkcode detailCommand} has printed. */
  readonly detail: string;
  /** Whether the system says that it knows no user of the unit's. */
  readonly isUserMissing?: boolean;
  /** The folder where the service keeps its health file. */
  readonly runtimeFolder: string;
  /** The version of the program on the disk; `undefined` where nothing runs, or it does not say. */
  readonly programVersion: string | undefined;
  readonly scope: ServiceScope;
  /** The configuration of the service, where this process has read it. */
  readonly readConfig: string | undefined;
  /** The command that installs the service anew. */
  readonly install: string;
}

/**
 * Exit codes by which systemd says that it could not set a process up (systemd.exec(5)), and settings by
 * which it can't.
 */
const SET_UP_FAILURES: Readonly<
  Record<string, readonly [step: string, settings: readonly string[]]>
> = {
  "200": ["CHDIR", ["WorkingDirectory", "RootDirectory"]],
  "203": ["EXEC", []],
  "205": ["LIMITS", ["LimitNOFILE", "LimitNPROC", "LimitMEMLOCK", "LimitAS"]],
  "206": ["OOM_ADJUST", ["OOMScoreAdjust"]],
  "208": ["STDIN", ["StandardInput", "TTYPath"]],
  "209": ["STDOUT", ["StandardOutput"]],
  "210": ["CHROOT", ["RootDirectory", "RootImage"]],
  "211": ["IOPRIO", ["IOSchedulingClass", "IOSchedulingPriority"]],
  "214": ["SETSCHEDULER", ["CPUSchedulingPolicy", "CPUSchedulingPriority"]],
  "215": ["CPUAFFINITY", ["CPUAffinity"]],
  "216": ["GROUP", []],
  "217": ["USER", []],
  "218": ["CAPABILITIES", ["CapabilityBoundingSet", "AmbientCapabilities"]],
  "219": ["CGROUP", ["Slice", "Delegate"]],
  "222": ["STDERR", ["StandardError"]],
  "224": ["PAM", ["PAMName"]],
  "225": ["NETWORK", ["NetworkNamespacePath", "PrivateNetwork"]],
  "226": [
    "NAMESPACE",
    [
      ...["ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "BindPaths", "BindReadOnlyPaths"],
      ...["ExecPaths", "NoExecPaths", "RootDirectory", "RootImage", "PrivateUsers"],
    ],
  ],
  "227": ["NO_NEW_PRIVILEGES", ["NoNewPrivileges"]],
  "228": ["SECCOMP", ["SystemCallFilter"]],
  "229": ["SELINUX_CONTEXT", ["SELinuxContext"]],
  "231": ["APPARMOR_PROFILE", ["AppArmorProfile"]],
  "232": ["ADDRESS_FAMILIES", ["RestrictAddressFamilies"]],
  "233": ["RUNTIME_DIRECTORY", ["RuntimeDirectory"]],
  "238": ["STATE_DIRECTORY", ["StateDirectory"]],
  "239": ["CACHE_DIRECTORY", ["CacheDirectory"]],
  "240": ["LOGS_DIRECTORY", ["LogsDirectory"]],
  "241": ["CONFIGURATION_DIRECTORY", ["ConfigurationDirectory"]],
  "243": ["CREDENTIALS", ["LoadCredential", "LoadCredentialEncrypted", "ImportCredential"]],
};

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

/** The command that tells more of a unit that does not run; `undefined` where there is no more to ask. */
export function detailCommand(unit: LoadedUnit, scope: ServiceScope): ToolCommand | undefined {
  const { name, property } = unit;
  const user = scope === "user" ? ["--user"] : [];
  const ask = (tool: string, ...args: string[]) => ({ tool, args: [...user, ...args] });
  if (property("LoadState") === "bad-setting") return ask("systemd-analyze", "verify", name);
  // The jobs that systemd has not done yet.
  if (!["", "0"].includes(property("Job"))) {
    return ask("systemctl", "list-jobs", "--no-legend", "--full");
  }
  if (property("ConditionResult") === "no" || property("AssertResult") === "no") {
    return ask("systemctl", "status", "--no-pager", "--full", "-n", "0", name);
  }
  const needed = requirements(unit).flatMap(({ value }) => value.split(/\s+/));
  return needed.length === 0
    ? undefined
    : ask("systemctl", "show", "--property=Id,LoadState,ActiveState", ...needed);
}

/** The settings by which a unit can't be started without other units. */
function requirements({ settings }: LoadedUnit): readonly UnitSetting[] {
  return settings.filter(({ name, value }) =>
    ["Requires", "Requisite", "BindsTo"].includes(name) && value !== ""
  );
}

/** A unit that this one can't be started without, and that is not there or has failed. */
export function missingRequirement(unit: LoadedUnit, detail: string): UnitFailure | undefined {
  for (const block of detail.split("\n\n")) {
    const [, id = ""] = /^Id=(.+)$/m.exec(block) ?? [];
    const set = requirements(unit).find(({ value }) => value.split(/\s+/).includes(id));
    if (set === undefined) continue;
    if (/^LoadState=(not-found|masked)$/m.test(block)) {
      return {
        text: `${settingText(set)} needs ${id}, which is not there`,
        advice: [`install that, or remove the setting, and then: ${restart(unit.name)}`],
      };
    }
    if (/^ActiveState=failed$/m.test(block)) {
      return {
        text: `${settingText(set)} needs ${id}, which has failed`,
        advice: [`see why: systemctl status ${id}`],
      };
    }
  }
  return undefined;
}

/** Why systemd does not run a unit, in its words; `undefined` where the program says it itself. */
export function unitFailure(unit: LoadedUnit, found: FoundService): UnitFailure | undefined {
  const { name } = unit;
  const start = `systemctl start ${name}`;
  const load = unit.property("LoadState");
  if (load === "masked") {
    const text = "it is masked, so nothing can start it";
    // A mask in /etc stands where `install` writes the unit, and has taken its place.
    const isKept = unit.property("FragmentPath") !== `/etc/systemd/system/${name}` ||
      ["/usr/lib", "/lib"].some((folder) => !isMissing(`${folder}/systemd/system/${name}`));
    return { text, advice: [`systemctl unmask ${name} && ${isKept ? start : found.install}`] };
  }
  if (load === "not-found") {
    return { text: "systemd finds no unit of it", advice: [`write it anew: ${found.install}`] };
  }
  if (load !== "loaded" && load !== "") return unreadableUnit(load, { name, detail: found.detail });
  const job = unit.property("Job");
  if (job !== "" && job !== "0") return unfinishedJob(unit) ?? queuedFailure(job, found);
  const required = missingRequirement(unit, found.detail);
  if (required !== undefined) return required;
  if (unit.property("ConditionTimestampMonotonic") === "0") {
    const text = "nothing has started it since it was stopped or the machine was started";
    const { isEnabled = true, enable = "" } = found.state ?? {};
    return {
      text,
      advice: [isEnabled ? `start it: ${start}` : `start it, now and at boot: ${enable} --now`],
    };
  }
  const before = failureBeside(unit);
  if (before !== undefined) return before;
  const isUnmet = unit.property("ConditionResult") === "no" ||
    unit.property("AssertResult") === "no";
  if (isUnmet && unit.property("ExecMainStatus") === "0") return unmetCondition(unit, found.detail);
  const [code, status] = [unit.property("ExecMainCode"), unit.property("ExecMainStatus")];
  const systemResult = unit.property("Result");
  if (systemResult === "oom-kill") return memoryFailure(unit);
  // Ended by SIGTERM it was stopped, which is a success.
  if (systemResult !== "success" && (code === "2" || code === "3")) {
    return signalFailure(status, unit);
  }
  if (code === "1" && SET_UP_FAILURES[status] !== undefined) {
    return setUpFailure(status, unit, found);
  }
  if (["exit-code", "success", ""].includes(systemResult)) return undefined;
  const names = RESULT_SETTINGS[systemResult];
  const text = names === undefined
    ? `systemd gave up (Result=${systemResult})`
    : `systemd has ended it (Result=${systemResult})`;
  const limits = names && underSettings(text, { unit: ofDropIns(unit), names });
  if (limits !== undefined) return limits;
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
  return {
    text: lastError === "" ? text : `${text}: ${lastError}`,
    advice: [`its log: ${logHint}`],
  };
}

/** A unit that systemd has not read: the lines of its files that systemd names, without their values. */
function unreadableUnit(
  load: string,
  { name, detail }: { name: string; detail: string },
): UnitFailure {
  const text = `systemd can't read its unit (${load})`;
  const lines = [...detail.matchAll(/^(\/[^:\s]+:\d+): ([^:\n]+)/gm)]
    .map(([, place, words]) => `${place}: ${words}`);
  return lines.length === 0
    ? { text, advice: [`see what is wrong in it: systemd-analyze verify ${name}`] }
    : {
      text: `${text}: ${[...new Set(lines)].join("; ")}`,
      advice: [`correct that, and then: ${restart(name)}`],
    };
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
  const where = set?.file ?? property("FragmentPath");
  return {
    text: `${path} of ${setting}= in ${where} ended with code ${status}`,
    advice: [`repair it, or remove it there, and then: ${restart(name)}`],
  };
}

/** Steps of a start by which systemd waits for the unit itself, and the settings that say for what. */
const START_STEPS: Readonly<Record<string, readonly string[]>> = {
  condition: ["ExecCondition"],
  "start-pre": ["ExecStartPre"],
  start: ["Type"],
  "start-post": ["ExecStartPost"],
};

/** A start or stop that goes on; `undefined` where it has not begun. */
function unfinishedJob(unit: LoadedUnit): UnitFailure | undefined {
  const step = unit.property("SubState");
  const seeMore = { advice: [`see how far it is: systemctl status ${unit.name}`] };
  if (unit.property("ActiveState") === "deactivating") {
    return { text: `systemd is still stopping it (${step})`, ...seeMore };
  }
  const names = START_STEPS[step];
  if (names === undefined) return undefined;
  const text = `systemd is still starting it (${step})`;
  return underSettings(text, { unit: ofDropIns(unit), names }) ?? { text, ...seeMore };
}

/** A start that waits for other units. */
function queuedFailure(job: string, { detail }: FoundService): UnitFailure {
  const running = detail.split("\n").flatMap((line) => {
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

/** A user of a unit that this machine does not know. */
export function missingUser(unit: LoadedUnit, install: string): UnitFailure {
  const text = `there is no user ${unit.property("User")}`;
  return underSettings(text, { unit: ofDropIns(unit), names: ["User"] }) ??
    { text, advice: [`make the user again: ${install}`] };
}

/** Asks whether the system knows the user of a unit, by all its sources; `undefined` where there is none. */
export function userQuestion(unit: LoadedUnit): ToolCommand | undefined {
  const user = unit.property("User");
  const isMade = lastSetting(unit.settings, "DynamicUser")?.value === "yes";
  return /^(?:\d+)?$/.test(user) || isMade ? undefined : { tool: "getent", args: ["passwd", user] };
}

/** A group of a unit that this machine does not have. */
function missingGroup(text: string, unit: LoadedUnit): UnitFailure {
  const known = accountNames(attempt(() => Deno.readTextFileSync("/etc/group")) ?? "");
  const asked = [unit.property("Group"), ...unit.property("SupplementaryGroups").split(" ")];
  const group = asked.find((it) => it !== "" && ![...known.values()].includes(it)) ?? asked[0];
  const missing = `${text}: there is no group ${group}`;
  const names = ["Group", "SupplementaryGroups"];
  return underSettings(missing, { unit: ofDropIns(unit), names }) ??
    { text: missing, advice: [`make it again: groupadd --system ${group}; ${restart(unit.name)}`] };
}

function setUpFailure(
  status: string,
  unit: LoadedUnit,
  { state, install }: FoundService,
): UnitFailure {
  const [step, settings] = SET_UP_FAILURES[status] ?? ["", []];
  const text = `systemd could not set its process up (${status}/${step})`;
  const reason = state?.lastError === undefined || state.lastError === ""
    ? text
    : `${text}: ${state.lastError}`;
  if (step === "USER") {
    const missing = missingUser(unit, install);
    return { ...missing, text: `${text}: ${missing.text}` };
  }
  if (step === "GROUP") return missingGroup(text, unit);
  if (step === "EXEC") return programFailure(reason, { unit, install });
  if (/No space left/.test(reason)) {
    return { text: reason, advice: ["make room on the disk that it names: df -h; df -i"] };
  }
  return underSettings(reason, { unit: ofDropIns(unit), names: settings }) ?? {
    text: reason,
    advice: [`see which setting it names: journalctl -u ${unit.name} -n 20`],
  };
}
