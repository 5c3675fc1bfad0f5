/**
 * Settings of a unit, and of its drop-ins, by which a service does not run.
 *
 * @module
 */

import { HOMES, realPath } from "./doctor_rights.ts";
import {
  lastSetting,
  type LoadedUnit,
  placeOf,
  settingNames,
  settingText,
  type UnitSetting,
} from "../service/loaded_unit.ts";

/** A unit of the installed service. */
export interface FoundUnit extends LoadedUnit {
  /** The command that writes it anew. */
  readonly install: string;
  /** The program that is recorded as installed. */
  readonly program?: string | undefined;
}

/** Why a unit does not run, and what to do. */
export interface UnitFailure {
  readonly text: string;
  readonly advice: readonly (string | undefined)[];
  readonly kind?: "unstarted";
}

/** Settings under which the runtime can't start, or ends in the middle of its work. */
const BREAKING_SETTINGS = [
  ...["LimitAS", "LimitDATA", "LimitSTACK", "LimitNPROC", "TasksMax", "LimitFSIZE", "MemoryMax"],
  "LimitNOFILE",
  ...["MemoryDenyWriteExecute", "SystemCallFilter", "SystemCallArchitectures"],
  "RestrictNamespaces",
];

/** How a runtime, or the shell that starts it, says that it can't go on; the program names its own errors. */
const RUNTIME_ERRORS = /panicked|Cannot fork|out of memory|Fatal/i;

/** A runtime that has ended by itself, before the program could say anything. */
export function crash(unit: FoundUnit, lastError: string): UnitFailure | undefined {
  const status = unit.property("ExecMainStatus");
  const hasFailed = unit.property("ExecMainCode") === "1" && status !== "0";
  const isOfRuntime = RUNTIME_ERRORS.test(lastError);
  const isBarred = / and does not run$/.test(lastError);
  if (!isOfRuntime && !isBarred && (!hasFailed || lastError !== "")) return undefined;
  const text = hasFailed ? `its runtime ended with code ${status}` : "its runtime ended by itself";
  const settings = underSettings(text, unit, BREAKING_SETTINGS);
  if (settings !== undefined || !isOfRuntime) return settings;
  const advice = `see all that it said: journalctl -u ${unit.name} -n 30`;
  return withCandidates(`${text}, and said: ${lastError}`, unit, advice);
}

/** Settings that take paths from a service. */
export const HIDING_SETTINGS: readonly string[] = [
  ...["InaccessiblePaths", "TemporaryFileSystem", "ReadOnlyPaths", "NoExecPaths"],
];

/** A path in the last error of the program that a setting takes from it. */
export function hiddenPath(unit: FoundUnit, lastError: string): UnitFailure | undefined {
  const named = lastError.split(/[\s:;,"']+/).flatMap((path) =>
    path.startsWith("/") ? [path, realPath(path)] : []
  );
  const settings = unit.settings.filter(({ value }) => named.some((path) => covers(value, path)));
  return underSettings(lastError, { ...unit, settings }, HIDING_SETTINGS) ??
    (named.some((path) => HOMES.test(path))
      ? underSettings(lastError, unit, ["ProtectHome"])
      : undefined) ??
    (lastError.includes("/proc/") ? underSettings(lastError, unit, ["ProcSubset"]) : undefined);
}

/** Whether the paths of a setting, which may have marks and options, have a path below them. */
export function covers(value: string, path: string): boolean {
  return value.split(/\s+/).map((word) => word.replace(/^[-+]+|:.*$/g, ""))
    .some((of) => of !== "" && (path === of || path.startsWith(`${of}/`)));
}

const [KIB, MIB, GIB, TIB] = [2 ** 10, 2 ** 20, 2 ** 30, 2 ** 40];
const UNITS: Readonly<Record<string, number>> = { "": 1, K: KIB, M: MIB, G: GIB, T: TIB, "%": 1 };

/** Limits, and from which value on they hinder nothing: bytes, counts, or percent of a processor. */
const AMPLE: Readonly<Record<string, number>> = {
  ...{ LimitAS: 128 * GIB, LimitDATA: 8 * GIB, LimitSTACK: 8 * MIB, LimitFSIZE: GIB },
  ...{
    MemoryMax: 512 * MIB,
    MemoryHigh: 512 * MIB,
    TasksMax: 64,
    LimitNOFILE: 64,
    LimitNPROC: 512,
    CPUQuota: 25,
  },
};

/** Whether a limit is too wide to explain anything; one in words, or of a share of the memory, never is. */
function isAmple({ name, value }: UnitSetting): boolean {
  const [, count, unit = ""] = /^(\d+)([KMGT%]?)(?::|$)/.exec(value) ?? [];
  const least = AMPLE[name];
  if (count === undefined || least === undefined) return false;
  if (unit === "%" && name !== "CPUQuota") return false;
  return Number(count) * (UNITS[unit] ?? 1) >= least;
}

/** Whether a setting takes anything from a service. */
function isLimiting(setting: UnitSetting): boolean {
  return !["", "infinity", "no", "false"].includes(setting.value) && !isAmple(setting);
}

/** With it no runtime can start that compiles its program, whatever else limits that. */
const NEVER = "MemoryDenyWriteExecute";

/**
 * A failure that settings of these names explain, which `install` does not write so; `undefined` where
 * the unit has none of them.
 */
export function underSettings(
  text: string,
  unit: FoundUnit,
  names: readonly string[],
): UnitFailure | undefined {
  const all = names.flatMap((it) => changedSetting(unit, it) ?? [])
    .filter(isLimiting);
  const certain = all.filter((it) => it.name === NEVER);
  const set = certain.length > 0 ? certain : all;
  const [only] = set;
  if (only === undefined) return undefined;
  if (set.length === 1) {
    const step = only.name in AMPLE ? "raise that limit" : "correct that setting";
    return {
      text: `${text} (${settingText(only)})`,
      advice: [changed(step, { unit, file: only.file })],
    };
  }
  return {
    text,
    advice: set.map((it) => `remove ${settingText(it)}, and then: ${restart(unit.name)}`),
  };
}

/** The setting of that name that counts, where `install` does not write it so: by a drop-in, or by hand. */
export function changedSetting({ settings }: LoadedUnit, name: string): UnitSetting | undefined {
  const setting = lastSetting(settings, name);
  return setting?.isOurs === true ? undefined : setting;
}

/** Settings by which no start fails, and nothing ends. */
const HARMLESS =
  /^(?:Description|Documentation|Wants|After|Before|Restart(?:Sec)?|StartLimit\w+|Syslog\w+|\w+Accounting|Nice)$/;
/** Variables that `install` sets by what it finds on a machine. */
const OF_INSTALL: readonly string[] = ["DENO", "DENO_DIR", "STATE_DIRECTORY"];

/**
 * A failure whose cause is not known: with the settings that may be it, which `install` does not write. Those
 * that can end a runtime by themselves are named alone; of the others, the command that tells.
 *
 * @param advice What tells more where the unit has no such setting, and behind them where it has.
 */
export function withCandidates(
  text: string,
  unit: FoundUnit,
  ...advice: readonly (string | undefined)[]
): UnitFailure {
  const breaking = underSettings(text, unit, BREAKING_SETTINGS);
  if (breaking !== undefined) return breaking;
  const added = unit.settings.filter((it) => isCandidate(it, unit));
  if (added.length === 0) return { text, advice };
  const named = added.slice(0, MAX_CANDIDATES).map((it) =>
    // Values may be secret.
    `${settingNames([it]).join(", ")} (${placeOf(it)})`
  );
  const files = [...new Set(added.map(({ file }) => file))].slice(0, MAX_FILES);
  return {
    text: `${text}; the unit has more than \`install\` writes: ${named.join(", ")}`,
    advice: [
      ...files.map((file) =>
        file === unit.property("FragmentPath")
          ? `see whether it starts by the unit as \`install\` writes it: ${unit.install}`
          : `see whether it starts without ${file}: mv ${file} ${file}.off && ${restart(unit.name)}`
      ),
      ...advice,
    ],
  };
}

/** More are not named. */
const MAX_CANDIDATES = 6;
const MAX_FILES = 2;

/** Whether a setting that counts is none of `install`, and may be why a service does not run. */
function isCandidate(setting: UnitSetting, { settings }: FoundUnit): boolean {
  const { name, file, isOurs = false } = setting;
  if (isOurs || !isLimiting(setting) || HARMLESS.test(name)) return false;
  // What is systemd's own is no setting of the unit.
  if (!/\.(?:service|conf)$/.test(file)) return false;
  return name === "Environment"
    ? !settingNames([setting]).every((it) => OF_INSTALL.includes(it))
    : lastSetting(settings, name) === setting;
}

/** A step that corrects what one of a unit's files has, and the commands by which it counts. */
export function changed(step: string, { unit, file }: { unit: FoundUnit; file: string }): string {
  return file === unit.property("FragmentPath")
    ? `${step}, and then: ${restart(unit.name)}; or have the unit written anew: ${unit.install}`
    : `${step}, or remove it, and then: ${restart(unit.name)}`;
}

/** Advice whose commands about a service ask the systemd of a user, and those about others the system's. */
export function ofUserManager(advice: string, service: string): string {
  return advice.replace(
    /\b(systemctl|systemd-analyze|journalctl) (?!--user)([^;&|]*)/g,
    (command, tool, rest) =>
      rest.split(" ").some((word: string) =>
          /^(?:daemon-reload|list-jobs)$/.test(word) || word.startsWith(service)
        )
        ? [tool, "--user", rest].join(" ")
        : command,
  );
}

/** The command by which a changed unit is used. */
export function restart(name: string): string {
  return `systemctl daemon-reload && systemctl restart ${name}`;
}
