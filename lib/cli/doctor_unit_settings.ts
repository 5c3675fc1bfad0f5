/**
 * Settings of a unit, and of its drop-ins, by which a service does not run.
 *
 * @module
 */

import { lastSetting, type LoadedUnit, settingText } from "../service/loaded_unit.ts";

/** Why a unit does not run, and what to do. */
export interface UnitFailure {
  readonly text: string;
  readonly advice: readonly string[];
}

/** Settings under which the runtime can't start, or ends in the middle of its work. */
const BREAKING_SETTINGS = [
  ...["LimitAS", "LimitDATA", "LimitSTACK", "LimitNPROC", "TasksMax", "LimitFSIZE", "MemoryMax"],
  ...["MemoryDenyWriteExecute"],
];

/** Settings of the unit's own that leave what is needed, and that a drop-in may make too narrow. */
const FORBIDDING_SETTINGS = ["SystemCallFilter", "SystemCallArchitectures", "RestrictNamespaces"];

/** How a runtime, or the shell that starts it, says that it can't go on; the program names its own errors. */
const RUNTIME_ERRORS = /panicked|Cannot fork|out of memory|Fatal/i;

/** A runtime that has ended by itself, before the program could say anything. */
export function crash(unit: LoadedUnit, lastError: string): UnitFailure | undefined {
  const status = unit.property("ExecMainStatus");
  const hasFailed = unit.property("ExecMainCode") === "1" && status !== "0";
  const isOfRuntime = RUNTIME_ERRORS.test(lastError);
  const isBarred = / and does not run$/.test(lastError);
  if (!isOfRuntime && !isBarred && (!hasFailed || lastError !== "")) return undefined;
  const text = hasFailed ? `its runtime ended with code ${status}` : "its runtime ended by itself";
  const settings = underSettings(text, { unit, names: BREAKING_SETTINGS }) ??
    underSettings(text, { unit: ofDropIns(unit), names: FORBIDDING_SETTINGS });
  if (settings !== undefined || !isOfRuntime) return settings;
  const advice = `see all that it said: journalctl -u ${unit.name} -n 30`;
  return { text: `${text}, and said: ${lastError}`, advice: [advice] };
}

/** Settings that take paths from a service. */
const HIDING_SETTINGS = ["InaccessiblePaths", "TemporaryFileSystem", "ReadOnlyPaths"];

/** A path in the last error of the program that a drop-in takes from it. */
export function hiddenPath(unit: LoadedUnit, lastError: string): UnitFailure | undefined {
  const named = lastError.split(/[\s:;,"']+/);
  const dropIns = ofDropIns(unit);
  const settings = dropIns.settings.filter(({ value }) =>
    named.some((path) => covers(value, path))
  );
  return underSettings(lastError, { unit: { ...unit, settings }, names: HIDING_SETTINGS }) ??
    (lastError.includes("/proc/")
      ? underSettings(lastError, { unit: dropIns, names: ["ProcSubset"] })
      : undefined);
}

/** Whether the paths of a setting, which may have marks and options, have a path below them. */
export function covers(value: string, path: string): boolean {
  return value.split(/\s+/).map((word) => word.replace(/^[-+]+|:.*$/g, ""))
    .some((of) => of !== "" && (path === of || path.startsWith(`${of}/`)));
}

/** With it no runtime can start that compiles its program, whatever else limits that. */
const NEVER = "MemoryDenyWriteExecute";

/** A failure that settings of the unit explain; `undefined` where it has none of them. */
export function underSettings(
  text: string,
  { unit: { settings, name }, names }: { unit: LoadedUnit; names: readonly string[] },
): UnitFailure | undefined {
  const all = names.flatMap((it) => lastSetting(settings, it) ?? [])
    .filter(({ value }) => !["", "infinity", "no", "false"].includes(value));
  const certain = all.filter((it) => it.name === NEVER);
  const set = certain.length > 0 ? certain : all;
  const [only] = set;
  if (only === undefined) return undefined;
  if (set.length === 1) {
    const advice = `remove that setting, with which it can't run, and then: ${restart(name)}`;
    return { text: `${text} (${settingText(only)})`, advice: [advice] };
  }
  return { text, advice: set.map((it) => `remove ${settingText(it)}, and then: ${restart(name)}`) };
}

/** A unit with the settings of its drop-ins alone. */
export function ofDropIns(unit: LoadedUnit): LoadedUnit {
  const own = unit.property("FragmentPath");
  return { ...unit, settings: unit.settings.filter(({ file }) => file !== own) };
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
