/**
 * What systemd says of a unit, in its own words.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Tools } from "../host/tool_runner.ts";
import { boundedReader } from "../service/official_agent.ts";
import type { ServiceScope } from "../service/service_manager.ts";

/** A setting of a unit, and the file that has it: the unit's own, or a drop-in. */
export interface UnitSetting {
  readonly name: string;
  readonly value: string;
  readonly file: string;
  /** The line of the file where it begins, from 1. */
  readonly line?: number;
  /** Whether `install` has written it so. */
  readonly isOurs?: boolean;
}

/** The properties of a unit that say whether and how it runs; empty where systemd does not know one. */
const PROPERTIES = [
  ...["LoadState", "ActiveState", "SubState", "Result", "Job", "ExecMainCode", "ExecMainStatus"],
  ...["MainPID", "NRestarts", "User", "NeedDaemonReload", "FragmentPath", "DropInPaths"],
  // The variables of its files, but not of the files that those name.
  "Environment",
  // 0 until the unit is started for the first time since systemd has loaded it.
  ...["ConditionTimestampMonotonic", "ConditionResult", "AssertResult"],
] as const;

/** A unit as systemd has loaded it. */
export interface LoadedUnit {
  /** Its name, with `.service`. */
  readonly name: string;
  /** A property in systemd's words; empty where systemd does not say it. */
  property(name: typeof PROPERTIES[number]): string;
  /** Its settings, also of its service; later ones of the same name are behind those that they replace. */
  readonly settings: readonly UnitSetting[];
}

/** Longer than a systemd that answers takes. */
const SHOW_MS = 3_000;

/** Asks systemd about a unit; `undefined` where it does not answer. */
export async function readLoadedUnit(
  service: string,
  { scope, installed = "", tools, signal }: {
    scope: ServiceScope;
    /** The unit as `install` writes it. */
    installed?: string;
    tools: Tools;
    signal: AbortSignal;
  },
): Promise<LoadedUnit | undefined> {
  const name = `${service}.service`;
  const flag = scope === "user" ? ["--user"] : [];
  const args = [...flag, "show", name, `--property=${PROPERTIES.join(",")}`];
  const { code, output } = await tools.run(
    { tool: "systemctl", args },
    { signal, timeoutMs: SHOW_MS },
  );
  if (code !== 0) return undefined;
  const shown = new Map<string, string>();
  for (const line of output.split("\n")) {
    const [key = "", ...value] = line.split("=");
    shown.set(key, `${shown.get(key) ?? ""}\n${value.join("=")}`.trim());
  }
  const property = (key: string) => shown.get(key) ?? "";
  const paths = [property("FragmentPath"), ...property("DropInPaths").split(" ")];
  const read = boundedReader("");
  const settings = paths.filter((path) => path !== "")
    .flatMap((path) => parseSettings(attempt(() => read(path)) ?? "", path));
  const ours = new Set(parseSettings(installed, "").map(lineOf));
  const marked = settings.map((it) =>
    it.file === property("FragmentPath") && ours.has(lineOf(it)) ? { ...it, isOurs: true } : it
  );
  return { name, property, settings: marked };
}

/** The names of settings, and of the variables that they set. */
export function settingNames(settings: readonly UnitSetting[]): string[] {
  return settings.flatMap(({ name, value }) =>
    name === "Environment"
      ? [...value.matchAll(/(?:^|[\s\x22\x27])([A-Za-z_]\w*)=/g)].map(([, it = ""]) => it)
      : name
  );
}

/** The settings in the sections `[Unit]` and `[Service]` of a unit's file. */
export function parseSettings(text: string, file: string): UnitSetting[] {
  const settings: UnitSetting[] = [];
  let [section, number] = ["", 0];
  for (const whole of text.split(/(?<!\\)\n/)) {
    const line = number + 1;
    number += whole.split("\n").length;
    const plain = whole.replaceAll("\\\n", " ").trim();
    if (plain.startsWith("[")) section = plain;
    const [, name, value = ""] = /^([A-Za-z]\w*)\s*=\s*(.*)$/.exec(plain) ?? [];
    if (["[Unit]", "[Service]"].includes(section) && name !== undefined) {
      settings.push({ name, value, file, line });
    }
  }
  return settings;
}

function lineOf({ name, value }: UnitSetting): string {
  return `${name}=${value}`;
}

/** The setting that counts among those of a name; `undefined` where none of a unit's files has it. */
export function lastSetting(
  settings: readonly UnitSetting[],
  name: string,
): UnitSetting | undefined {
  return settings.findLast((it) => it.name === name);
}

/** A setting and its place, in words. */
export function settingText(setting: UnitSetting): string {
  return `${setting.name}=${setting.value} in ${placeOf(setting)}`;
}

/** The file and line of a setting. */
export function placeOf({ file, line }: UnitSetting): string {
  return line === undefined ? file : `${file}:${line}`;
}

/** The value of a variable that a unit's own files set by `Environment=`; `undefined` when none does. */
export function variableValue(
  settings: readonly UnitSetting[],
  variable: string,
): string | undefined {
  for (const { name, value } of settings.toReversed()) {
    const [, quoted, plain] = name === "Environment"
      ? new RegExp(`(?:^|\\s)(?:["']${variable}=([^"']*)["']|${variable}=(\\S*))`).exec(value) ?? []
      : [];
    if (quoted !== undefined || plain !== undefined) return quoted ?? plain;
  }
  return undefined;
}

/** The file of a unit that sets a variable, by `Environment=`; `undefined` when none does. */
export function variableFile(
  settings: readonly UnitSetting[],
  variable: string,
): string | undefined {
  return settings.findLast((it) => variableValue([it], variable) !== undefined)?.file;
}
