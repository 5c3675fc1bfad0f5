/**
 * The installed service as `doctor` finds it: its record, and what the service manager says.
 *
 * @module
 */

import { withTimeout } from "../async/timeout.ts";
import type { Config } from "../config/config.ts";
import { readProgramVersion } from "../host/program_version.ts";
import { type ThisProgram, thisProgram } from "../host/this_program.ts";
import type { ToolCommand } from "../host/tool_runner.ts";
import { describeError } from "../log/log.ts";
import type { InstallRecord } from "../service/install_record.ts";
import { installedRecord } from "../service/installed_record.ts";
import { type ServiceState, serviceState } from "../service/installed_service.ts";
import {
  lastSetting,
  type LoadedUnit,
  readLoadedUnit,
  type UnitSetting,
} from "../service/loaded_unit.ts";
import { managerSettings } from "../service/manager_settings.ts";
import { PACKAGE_CONDITION, packagedPlan, packagedRecord } from "../service/packaged_service.ts";
import { environmentFileOf, type ServiceScope } from "../service/service_paths.ts";
import { systemdUnit } from "../service/systemd.ts";
import { currentSystem, type TargetSystem } from "../service/target_system.ts";
import { PROGRAM } from "../version.ts";
import { asRoot } from "./doctor_commands.ts";
import { isMissing, isUnrunnable } from "./doctor_unit_program.ts";
import type { FoundUnit } from "./doctor_unit_settings.ts";

/** Longer than a program takes that asks this machine. */
const TOOL_MS = 3_000;

/** The installed service, as it is found. */
export interface FoundService {
  readonly record: InstallRecord | undefined;
  /** `undefined` where nothing is recorded as installed. */
  readonly state: ServiceState | undefined;
  /** Why the record of its installation can't be read; empty where it can, or is not there. */
  readonly recordError: string;
  /** The same in systemd's words; `undefined` for other managers. */
  readonly unit: FoundUnit | undefined;
  /** What {@linkcode detailCommands} have printed. */
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

/** Asks the service manager about the installed service; systemd also where nothing is recorded. */
export async function findInstalled(
  config: Config,
  { env, system = boundedSystem(env), isSeen, signal }: {
    env: Readonly<Record<string, string>>;
    system?: TargetSystem;
    /** Whether its agent is seen running. */
    isSeen: boolean;
    signal: AbortSignal;
  },
): Promise<FoundService> {
  const { serviceName } = config;
  const { tools } = system;
  const { record, recordError } = readRecord(serviceName, env);
  const scope = record?.scope ?? "system";
  const isSystemd = record === undefined || record.manager === "systemd";
  const installed = installedUnit(serviceName, record ?? packagedRecord(), scope);
  const [told, programVersion, loaded, defaults] = await Promise.all([
    record && serviceState(record, system, signal),
    isSeen ? record && versionOf(record.program, signal) : undefined,
    isSystemd ? readLoadedUnit(serviceName, { scope, installed, tools, signal }) : undefined,
    isSystemd ? managerSettings(scope, { env, tools, signal }) : [],
  ]);
  const install = installCommand(serviceName, {
    ...{ record, scope },
    isDamaged: /SyntaxError| is damaged: |Exec format error/.test(told?.lastError ?? "") ||
      (record !== undefined && isUnrunnable(record.program)),
  });
  // Those of the unit win over systemd's own.
  const settings = [...defaults, ...loaded?.settings ?? []];
  const state = told && loaded ? withBoot(told, loaded) : told;
  const unit = loaded && { ...loaded, settings, install, program: record?.program };
  const answers = await Promise.all(
    (unit ? detailCommands(unit, scope) : []).map((command) => tools.run(command, { signal })),
  );
  const detail = answers.map(({ output }) => output).join("\n\n");
  const asksUser = unit && userQuestion(unit);
  // The code by which getent says that there is none.
  const isUserMissing = asksUser !== undefined &&
    (await tools.run(asksUser, { signal })).code === 2;
  return {
    record,
    state,
    recordError,
    unit,
    detail,
    isUserMissing,
    programVersion,
    runtimeFolder: record?.runtimeFolder ?? `/run/${serviceName}`,
    scope,
    readConfig: config.isConfigInstalled ? config.configPath : undefined,
    install,
  };
}

/** The unit as `install` writes it, with all settings of the sandbox that it may have. */
function installedUnit(name: string, record: InstallRecord, scope: ServiceScope): string {
  const { program, user, config, stateFolder } = record;
  const environmentFile = environmentFileOf(config);
  return systemdUnit(
    { ...packagedPlan("binary"), name, scope, program, user, config, stateFolder, environmentFile },
    { condition: PACKAGE_CONDITION },
  );
}

/** The state of a service whose unit has no section by which it could be enabled, and that nothing wants at boot. */
function withBoot(state: ServiceState, { name, property }: LoadedUnit): ServiceState {
  if (property("UnitFileState") !== "static" || property("WantedBy") !== "") return state;
  return { ...state, isEnabled: false, enable: `systemctl add-wants multi-user.target ${name}` };
}

/** The command that starts a service now and at boot. */
export function enableNow({ enable, start }: Pick<ServiceState, "enable" | "start">): string {
  return enable.includes(" enable ") ? `${enable} --now` : `${enable} && ${start}`;
}

/** The record of the installed service, or why it can't be read. */
function readRecord(
  name: string,
  env: Readonly<Record<string, string>>,
): { record: InstallRecord | undefined; recordError: string } {
  try {
    return { record: installedRecord(name, env), recordError: "" };
  } catch (error) {
    return { record: undefined, recordError: describeError(error) };
  }
}

/** The command that installs a service anew: by this program where the installed one can't be run. */
export function installCommand(
  name: string,
  { record, scope, isDamaged }: {
    record: Pick<InstallRecord, "program"> | undefined;
    scope: ServiceScope;
    /** Whether the installed program is there, and can't be run. */
    isDamaged: boolean;
  },
  { form, path }: ThisProgram = thisProgram(),
): string {
  const isGone = record !== undefined && form !== "source" &&
    (isDamaged || isMissing(record.program));
  const command = `${isGone ? path : PROGRAM} install`;
  const flag = name === PROGRAM ? "" : ` --install-service-name ${name}`;
  return scope === "system" ? asRoot(`${command}${flag}`) : `${command}${flag}`;
}

/** The version of a program; `undefined` where it does not say it. */
async function versionOf(program: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    return await withTimeout((signal) => readProgramVersion(program, { signal }), {
      timeoutMs: TOOL_MS,
      signal,
    });
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** This machine, whose tools are given up soon; one that can't be started has failed, and says why. */
export function boundedSystem(env: Readonly<Record<string, string>>): TargetSystem {
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

/** The commands that tell more of a unit: of lines that are not of `install`, and of one that does not run. */
export function detailCommands(unit: LoadedUnit, scope: ServiceScope): ToolCommand[] {
  const { name, property, settings } = unit;
  const user = scope === "user" ? ["--user"] : [];
  const ask = (tool: string, ...args: string[]) => ({ tool, args: [...user, ...args] });
  const load = property("LoadState");
  const isRead = load === "loaded";
  const asked: ToolCommand[] = [];
  // Variables of the runtime differ from machine to machine.
  const isChanged = property("DropInPaths") !== "" ||
    settings.some((it) => it.isOurs !== true && it.name !== "Environment");
  if (["bad-setting", "error"].includes(load) || (isRead && isChanged)) {
    asked.push(ask("systemd-analyze", "verify", "--man=no", name));
  }
  const needed = relations(unit).flatMap(({ value }) => value.split(/\s+/));
  if (!isRead) return asked;
  // The jobs that systemd has not done yet.
  if (jobOf(unit) !== undefined) {
    asked.push(ask("systemctl", "list-jobs", "--no-legend", "--full"));
  } else if (property("ConditionResult") === "no" || property("AssertResult") === "no") {
    asked.push(ask("systemctl", "status", "--no-pager", "--full", "-n", "0", name));
  } else if (needed.length > 0) {
    asked.push(ask("systemctl", "show", "--property=Id,LoadState,ActiveState", ...needed));
  }
  return asked;
}

/** The job that systemd has for a unit; a start that it repeats by itself waits for nothing. */
export function jobOf({ property }: LoadedUnit): string | undefined {
  const job = property("Job");
  const isRepeated = property("SubState").startsWith("auto-restart");
  return ["", "0"].includes(job) || isRepeated ? undefined : job;
}

/** The settings by which a unit runs with others alone, or without them. */
export function relations({ settings }: LoadedUnit): readonly UnitSetting[] {
  return settings.filter(({ name, value }) =>
    ["Requires", "Requisite", "BindsTo", "PartOf", "Conflicts"].includes(name) && value !== ""
  );
}

/** Asks whether the system knows the user of a unit, by all its sources; `undefined` where there is none. */
export function userQuestion(unit: LoadedUnit): ToolCommand | undefined {
  const user = unit.property("User");
  const isMade = lastSetting(unit.settings, "DynamicUser")?.value === "yes";
  return /^(?:\d+)?$/.test(user) || isMade ? undefined : { tool: "getent", args: ["passwd", user] };
}
