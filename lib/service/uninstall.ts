import type { ToolCommand } from "../host/tool_runner.ts";
import { updateFolder } from "../host/update_state.ts";
import { dirname } from "../parse/path.ts";
import { printSteps } from "./install.ts";
import { type InstallRecord, readInstallRecord } from "./install_record.ts";
import { applySteps, commandStep, effectiveSteps, type Step } from "./install_step.ts";
import { managerError, serviceManager } from "./managers.ts";
import { officialRecordPath } from "./official_record.ts";
import type { ServiceManager } from "./service_manager.ts";
import { servicePaths } from "./service_paths.ts";
import { removeUserCommands } from "./service_user.ts";
import { pathExists, scopeOf, type TargetSystem } from "./target_system.ts";
import { hasUpdateService } from "./update_service.ts";

/** Which service goes, and whether that is only told. */
export interface UninstallOptions {
  readonly serviceName: string;
  readonly print: boolean;
  /** Whether the note of a replaced agent stays, for whoever is going to bring that one back. */
  readonly keepsOfficialRecord?: boolean;
  readonly signal: AbortSignal;
}

/**
 * Takes away all that an installation has made, by its record; tells the user.
 *
 * What was put beside it stays, and is named. Where nothing is installed, nothing is done.
 *
 * @throws {Error} When something can't be removed; done again, it goes on from there.
 */
export async function uninstall(
  system: TargetSystem,
  { serviceName, print, keepsOfficialRecord = false, signal }: UninstallOptions,
): Promise<void> {
  const { record: path } = servicePaths(serviceName, { ...system, scope: scopeOf(system) });
  const record = readInstallRecord(system.root + path);
  if (record === undefined) {
    requireRoot(serviceName, system);
    system.printLine(`Nothing is installed as ${serviceName}: there is no ${path}`);
    return;
  }
  const manager = managerOf(record, system);
  const trouble = await managerError(manager, system, signal);
  if (trouble !== undefined) {
    system.printLine(
      `This user's service manager does not answer (${trouble}): the files go without it; should ` +
        "the service run, it ends with that manager",
    );
  }
  const isReached = trouble === undefined;
  const steps = uninstallSteps(record, {
    manager,
    isReached,
    system,
    recordPath: path,
    keepsOfficialRecord,
  });
  if (print) return printSteps(effectiveSteps(steps, system), { system, secrets: [] });
  await applySteps(steps, { system, signal });
  system.printLine(`Removed ${serviceName}, with its service, configuration and state.`);
  for (const left of remainingEntries([...record.folders, record.stateFolder], system)) {
    system.printLine(`  ${left} stays: it was not made by the installation`);
  }
}

function requireRoot(serviceName: string, system: TargetSystem): void {
  const { record } = servicePaths(serviceName, { ...system, scope: "system" });
  if (scopeOf(system) === "system" || !pathExists(system.root + record)) return;
  throw new Error(`Cannot remove ${serviceName}: root has installed it; run this as root`);
}

/** All that is done, in its order; the record goes last, so that it can be done again. */
function uninstallSteps(
  record: InstallRecord,
  { manager, isReached, system, recordPath, keepsOfficialRecord }: {
    manager: ServiceManager;
    /** Whether the manager can be asked for anything. */
    isReached: boolean;
    system: TargetSystem;
    recordPath: string;
    keepsOfficialRecord: boolean;
  },
): Step[] {
  const { service, program, config, files, links, folders, trees, logFile, madeLinger } = record;
  const { tools } = system;
  // What an update leaves beside the program, and what was cut off while it was written.
  const programs = [program, `${program}.old`];
  const note = keepsOfficialRecord ? [] : [officialRecordPath(dirname(recordPath))];
  const written = [...note, ...files, config, logFile, ...programs].flatMap((
    path,
  ) => [path, `${path}.new`]);
  const ownLinks = links.filter((path) => isLinkTo(system.root + path, program));
  const enabled = isReached ? [] : manager.userManager?.links ?? [];
  const updates = hasUpdateService(record) ? manager.disableUpdates : [];
  return [
    ...(isReached ? [...updates, ...manager.stop, ...manager.disable] : []).map(commandStep),
    ...enabled.flatMap((path): Step[] => [
      { do: "remove", path },
      { do: "remove empty folder", path: dirname(path) },
    ]),
    ...[...new Set([...written, ...ownLinks])].map((path): Step => ({ do: "remove", path })),
    ...(isReached ? manager.reload : []).map(commandStep),
    ...[...trees, updateFolder(program)].map((path): Step => ({ do: "remove folder", path })),
    // It is called as the service is, whomever that runs as by now.
    ...(record.createdUser ? removeUserCommands(service, { tools }).map(commandStep) : []),
    ...(madeLinger === "" ? [] : [commandStep(noLinger(madeLinger))]),
    { do: "remove", path: recordPath },
    ...folders.map((path): Step => ({ do: "remove empty folder", path })),
  ];
}

function managerOf(record: InstallRecord, { home, uid }: TargetSystem): ServiceManager {
  const { manager, service: name, scope, logFile } = record;
  return serviceManager(manager, { name, scope, logFile, home, uid });
}

function noLinger(user: string): ToolCommand {
  return { tool: "loginctl", args: ["--no-ask-password", "disable-linger", user], mayFail: true };
}

function isLinkTo(path: string, program: string): boolean {
  try {
    return Deno.readLinkSync(path) === program;
  } catch {
    return false;
  }
}

/** What is still in folders of ours; those of others are full of what is none of our business. */
function remainingEntries(
  folders: readonly string[],
  { root }: Pick<TargetSystem, "root">,
): string[] {
  return [...new Set(folders)].flatMap((folder) => {
    try {
      return Array.from(Deno.readDirSync(root + folder), ({ name }) => `${folder}/${name}`);
    } catch {
      return [];
    }
  });
}
