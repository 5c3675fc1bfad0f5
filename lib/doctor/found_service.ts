/**
 * The installed service as it is found: its record, what its manager says of it, and its variables.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { thisProgram } from "../host/this_program.ts";
import { describeError } from "../log/log.ts";
import { lookupVariable } from "../parse/os_release.ts";
import { splitShellWords } from "../parse/shell_words.ts";
import { findInstallRecord, type InstallRecord } from "../service/install_record.ts";
import { type ServiceState, serviceState } from "../service/installed_service.ts";
import { changeablePart } from "../service/install_context.ts";
import { boundedReader } from "../service/official_agent.ts";
import {
  type LoadedUnit,
  placeOf,
  readLoadedUnit,
  settingNames,
  type UnitSetting,
  variableValue,
} from "./loaded_unit.ts";
import { updateServiceName } from "../service/service_files.ts";
import { environmentFileOf, servicePaths, type ServiceScope } from "../service/service_manager.ts";
import { systemdUnit } from "../service/systemd.ts";
import { currentSystem, type TargetSystem } from "../service/target_system.ts";
import { PROGRAM } from "../version.ts";
import { asRoot, reinstall, restart } from "./options.ts";
import { isMissing } from "./rights.ts";

/** How a runtime, or the kernel, says that it can't run the program. */
export const DAMAGED = /SyntaxError| is damaged: |Exec format error/;

/** Longer than a program takes that asks this machine. */
const TOOL_MS = 3_000;

/** The installed service, as it is found. */
export interface FoundService {
  readonly record: InstallRecord | undefined;
  /** Why that can't be read; empty where it can, or is not there. */
  readonly recordError: string;
  /** `undefined` where nothing is recorded as installed. */
  readonly state: ServiceState | undefined;
  /** The same in systemd's words; `undefined` for other managers. */
  readonly unit: LoadedUnit | undefined;
  /** The settings of the unit, with the variables of the files that it names. */
  readonly settings: readonly UnitSetting[];
  readonly scope: ServiceScope;
  /** The folder where the service keeps its health file. */
  readonly runtimeFolder: string;
  /** The configuration of the service, where this process has read it without a mistake. */
  readonly readConfig: string | undefined;
  /** The command that installs the service anew. */
  readonly install: string;
}

/** Asks the service manager about the installed service; systemd also where nothing is recorded. */
export async function findService(
  { serviceName, isConfigInstalled, configPath, mistake }: Config,
  { env, signal, system = boundedSystem(env) }: {
    env: Readonly<Record<string, string>>;
    signal: AbortSignal;
    system?: TargetSystem;
  },
): Promise<FoundService> {
  let [record, recordError]: [InstallRecord | undefined, string] = [undefined, ""];
  try {
    record = findInstallRecord(serviceName, env);
  } catch (error) {
    recordError = describeError(error);
  }
  const scope = record?.scope ?? "system";
  const { tools } = system;
  const isSystemd = record === undefined || record.manager === "systemd";
  const installed = installedUnit(serviceName, record, scope);
  const [state, unit] = await Promise.all([
    record && serviceState(record, system, signal),
    isSystemd ? readLoadedUnit(serviceName, { scope, installed, tools, signal }) : undefined,
  ]);
  const { form, path } = thisProgram();
  // By this program where the installed one can't be run.
  const isGone = record !== undefined && form !== "source" &&
    (isMissing(record.program) || DAMAGED.test(state?.lastError ?? ""));
  const command = reinstall({ serviceName });
  const install = isGone ? command.replace(PROGRAM, path) : command;
  return {
    ...{ record, recordError, state, unit, scope },
    // A file wins over `Environment=`.
    settings: unit === undefined ? [] : [...unit.settings, ...fileSettings(unit.settings)],
    readConfig: isConfigInstalled && mistake === undefined ? configPath : undefined,
    runtimeFolder: record?.runtimeFolder ?? `/run/${serviceName}`,
    install: scope === "system" ? asRoot(install) : install,
  };
}

/** Why systemd's last update has failed; `undefined` where none has, or systemd does not answer. */
export async function failedUpdate(
  { record, scope, unit }: FoundService,
  { env, signal }: { env: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<string | undefined> {
  if (record === undefined || unit === undefined) return undefined;
  const system = boundedSystem(env);
  const service = updateServiceName(record.service);
  const update = await readLoadedUnit(service, { scope, tools: system.tools, signal });
  if (update?.property("ActiveState") !== "failed") return undefined;
  const { lastError, logHint } = await serviceState({ ...record, service }, system, signal);
  return lastError === ""
    ? `the last one failed → see why: ${logHint}`
    : `the last one failed: ${lastError}`;
}

/** The unit as `install` writes it, with all settings of the sandbox that it may have. */
function installedUnit(
  name: string,
  record: InstallRecord | undefined,
  scope: ServiceScope,
): string {
  const paths = servicePaths(name, { uid: 0, home: "", userRuntimeDir: "", os: "linux" }, "system");
  return systemdUnit({
    ...{ ...paths, program: `${paths.programFolder}/${name}`, user: name, ...record },
    ...{ name, scope, updateFolder: "", deno: undefined, sandbox: "full", usesDevices: false },
    ...{ releaseFlags: [], isUpdated: false },
  });
}

/** Variables by which another user, who can change such a file, would have root read files. */
const NAMES_FILE =
  /^(?:(?:AGENT|DENO|SSL|NODE)_(?:\w+_)?(?:FILE|DIR|(?<!UNSAFE_)CERTS?)|(?:STATE|RUNTIME)_DIRECTORY|HOST_PROC)$/;
/** A setting of doctor's own, whose value is the name of such a variable. */
const LEFT_OUT = "a variable that is not read";

type ServiceSettings = Pick<FoundService, "unit" | "settings" | "record">;

/** The variables of the files that a unit reads, each as a setting of the file. */
function fileSettings(settings: readonly UnitSetting[]): UnitSetting[] {
  const named = settings.filter(({ name }) => name === "EnvironmentFile");
  // An empty value takes all before it back.
  const files = named.slice(named.findLastIndex(({ value }) => value === "") + 1);
  const read = boundedReader("");
  return files.flatMap(({ value }) => {
    const file = value.replace(/^-/, "");
    const text = attempt(() => read(file)) ?? "";
    const isTrusted = attempt(() => changeablePart(file) === undefined) ?? false;
    return [...text.matchAll(/^\s*([A-Za-z_]\w*)=/gm)].map(([, name = ""]) =>
      isTrusted || !NAMES_FILE.test(name)
        ? { name: "Environment", file, value: `"${name}=${lookupVariable(text, name) ?? ""}"` }
        : { name: LEFT_OUT, file, value: name }
    );
  });
}

/** The variables of the files that the service reads; without systemd, of the one that `install` writes. */
function variablesOfFiles({ unit, settings, record }: ServiceSettings): UnitSetting[] {
  if (unit !== undefined || record === undefined) return fileSettings(settings);
  return fileSettings([
    { name: "EnvironmentFile", value: environmentFileOf(record.config), file: "" },
  ]);
}

/** What is said of a variable of the service that is not read; `undefined` where all are. */
export function unreadVariable(found: ServiceSettings): string | undefined {
  const unread = variablesOfFiles(found).find(({ name }) => name === LEFT_OUT);
  return unread &&
    `${unread.value} of ${unread.file} is not read: other users can change that file`;
}

/**
 * The variables that the service's process has, by systemd, or would have. Those of the shell don't count
 * for it, and of those that the process shows in `/proc` its proxies alone: code in it can name a file of
 * root's in the others.
 */
export function serviceVariables(found: ServiceSettings): Record<string, string> {
  const { unit, settings } = found;
  const ofFiles = variablesOfFiles(found);
  const pid = Number(unit?.property("MainPID") ?? 0);
  if (unit === undefined || pid === 0) return variablesOf([...settings, ...ofFiles]);
  // The unit's files may have changed since systemd has loaded it.
  const loaded = assignments(splitShellWords(unit.property("Environment")));
  const byUnit = { ...loaded, ...variablesOf(ofFiles) };
  const words = attempt(() => Deno.readTextFileSync(`/proc/${pid}/environ`))?.split("\0");
  if (words === undefined) return byUnit;
  const pick = (variables: Record<string, string>, proxies: boolean) =>
    Object.entries(variables).filter(([name]) => /_proxy$/i.test(name) === proxies);
  return Object.fromEntries([...pick(byUnit, false), ...pick(assignments(words), true)]);
}

/** The variables that settings set. */
function variablesOf(settings: readonly UnitSetting[]): Record<string, string> {
  const all = settings.filter(({ name }) => name === "Environment");
  return Object.fromEntries(settingNames(all).map((it) => [it, variableValue(all, it) ?? ""]));
}

/** Variables by words of the form `NAME=VALUE`. */
function assignments(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(words.map((word) => {
    const at = word.indexOf("=");
    return [word.slice(0, at), word.slice(at + 1)];
  }));
}

/** This machine, whose tools are given up soon; one that can't be started has failed, and says why. */
function boundedSystem(env: Readonly<Record<string, string>>): TargetSystem {
  const system = currentSystem({ env, printLine: () => {} });
  const { tools } = system;
  return {
    ...system,
    tools: {
      has: (tool) => tools.has(tool),
      async run(command, { signal, timeoutMs = TOOL_MS }) {
        try {
          return await tools.run(command, { signal, timeoutMs });
        } catch (error) {
          signal.throwIfAborted();
          return { code: 127, output: describeError(error) };
        }
      },
    },
  };
}

/** Settings by which no start fails, and nothing ends. */
const HARMLESS =
  /^(?:Description|Documentation|Wants|After|Before|Restart(?:Sec)?|StartLimit\w+|Syslog\w+|\w+Accounting|Nice)$/;
/** Variables that `install` sets by what it finds on a machine. */
const OF_INSTALL: readonly string[] = ["DENO", "DENO_DIR", "STATE_DIRECTORY"];
const MAX_CANDIDATES = 6;

/** Whether a setting is one that `install` writes. */
export function isOfInstall(setting: UnitSetting, unit: LoadedUnit | undefined): boolean {
  return setting.isOurs === true ||
    (setting.file === unit?.property("FragmentPath") && setting.name === "Environment" &&
      settingNames([setting]).every((name) => OF_INSTALL.includes(name)));
}

/** What a unit has that `install` does not write, as what may be the cause; `undefined` where it has nothing. */
export function candidates(
  { unit, install }: Pick<FoundService, "unit" | "install">,
  purpose = "it starts",
): { text: string; look: string } | undefined {
  const added = unit?.settings.filter((it) => !isOfInstall(it, unit) && !HARMLESS.test(it.name)) ??
    [];
  const [first] = added;
  if (unit === undefined || first === undefined) return undefined;
  // Values may be secret.
  const named = added.map((it) => `${settingNames([it]).join(", ") || it.name} (${placeOf(it)})`);
  const names = [...new Set(named)].slice(0, MAX_CANDIDATES);
  const { file } = first;
  return {
    text: `; the unit has more than \`install\` writes: ${names.join(", ")}`,
    look: file === unit.property("FragmentPath")
      ? `see whether ${purpose} by the unit as \`install\` writes it: ${install}`
      : `see whether ${purpose} without ${file}: mv ${file} ${file}.off && ${restart(unit.name)}`,
  };
}
