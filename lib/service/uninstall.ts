import type { ToolCommand } from "../host/tool_runner.ts";
import { updateFolder } from "../state/update_state.ts";
import { dirname } from "../parse/path.ts";
import { printSteps } from "./install.ts";
import { type InstallRecord, readInstallRecord } from "./install_record.ts";
import { applySteps, commandStep, effectiveSteps, type Step } from "./install_step.ts";
import { managerError, recordedManager } from "./managers.ts";
import { officialRecordPath } from "./official_record.ts";
import type { ServiceManager } from "./service_manager.ts";
import { servicePaths } from "./service_paths.ts";
import { removeUserCommands } from "./service_user.ts";
import { pathExists, scopeOf, type TargetSystem } from "./target_system.ts";
import { hasUpdateService } from "./update_service.ts";

/** Options of {@linkcode uninstall}. */
export interface UninstallOptions {
  readonly serviceName: string;
  readonly print: boolean;
  /** Whether the state stays, for a later installation. */
  readonly keepsState?: boolean;
  /** Whether the record of a replaced agent stays, for a later restoration. */
  readonly keepsOfficialRecord?: boolean;
  readonly signal: AbortSignal;
}

/**
 * Removes everything that an installation created, by its record.
 *
 * Other files stay and are listed. Without an installation nothing is done.
 *
 * @throws {Error} When something can't be removed; a second run continues.
 */
export async function uninstall(
  system: TargetSystem,
  { serviceName, print, keepsState = false, keepsOfficialRecord = false, signal }: UninstallOptions,
): Promise<void> {
  const paths = servicePaths(serviceName, { ...system, scope: scopeOf(system) });
  const path = paths.record;
  const record = readInstallRecord(system.root + path);
  if (record === undefined) {
    requireRoot(serviceName, system);
    system.printLine(`Nothing is installed as ${serviceName}: there is no ${path}`);
    return;
  }
  const manager = recordedManager(record, system);
  const unreachable = await managerError(manager, system, signal);
  if (unreachable !== undefined) {
    system.printLine(
      `This user's service manager does not answer (${unreachable}): the files are removed anyway; a ` +
        "running service ends with its manager",
    );
  }
  const isReached = unreachable === undefined;
  const kept = keepsState ? [record.stateFolder, paths.stateFolder] : [];
  const steps = uninstallSteps(record, {
    manager,
    kept,
    isReached,
    system,
    recordPath: path,
    keepsOfficialRecord,
  });
  if (print) return printSteps(effectiveSteps(steps, system), { system, secrets: [] });
  await applySteps(steps, { system, signal });
  system.printLine(
    keepsState
      ? `Removed ${serviceName}, with its service and configuration; its state stays in ` +
        record.stateFolder
      : `Removed ${serviceName}, with its service, configuration and state.`,
  );
  for (const left of remainingEntries([...record.folders, record.stateFolder], system)) {
    if (kept.some((folder) => left === folder || left.startsWith(`${folder}/`))) continue;
    system.printLine(`  ${left} stays: the installation did not create it`);
  }
}

function requireRoot(serviceName: string, system: TargetSystem): void {
  const { record } = servicePaths(serviceName, { ...system, scope: "system" });
  if (scopeOf(system) === "system" || !pathExists(system.root + record)) return;
  throw new Error(`Cannot remove ${serviceName}: root has installed it; run this as root`);
}

/** All steps in order; the record is removed last, so that a failed run can be repeated. */
function uninstallSteps(
  record: InstallRecord,
  { manager, kept, isReached, system, recordPath, keepsOfficialRecord }: {
    manager: ServiceManager;
    /** Folders that stay with everything in them. */
    kept: readonly string[];
    /** Whether the service manager answers. */
    isReached: boolean;
    system: TargetSystem;
    recordPath: string;
    keepsOfficialRecord: boolean;
  },
): Step[] {
  const { service, program, config, files, links, folders, trees, logFile, enabledLinger } = record;
  const { tools } = system;
  // The backup of an update, and interrupted writes.
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
    ...[...trees, updateFolder(program)].filter((path) => !kept.includes(path))
      .map((path): Step => ({ do: "remove folder", path })),
    // Named like the service, even if that runs as another user now.
    ...(record.createdUser ? removeUserCommands(service, { tools }).map(commandStep) : []),
    ...(enabledLinger === "" ? [] : [commandStep(noLinger(enabledLinger))]),
    { do: "remove", path: recordPath },
    ...folders.map((path): Step => ({ do: "remove empty folder", path })),
  ];
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

/** Entries left in folders of the installation. */
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
