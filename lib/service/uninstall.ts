import { attempt } from "../attempt.ts";
import { updateFolder } from "../state/update_state.ts";
import { printSteps } from "./install.ts";
import { lingerCommands } from "./install_plan.ts";
import { type InstallRecord, readInstallRecord } from "./install_record.ts";
import { applySteps, effectiveSteps, removeStep, type Step } from "./install_step.ts";
import { recordedManager, requireManager } from "./managers.ts";
import { officialRecordPath } from "./official_service.ts";
import { savedPath } from "./install_trial.ts";
import { scopeOf, servicePaths } from "./service_manager.ts";
import { isAgentEntry, removeUserCommands } from "./install_context.ts";
import { entryNames, pathExists, type TargetSystem } from "./target_system.ts";
import { hasUpdateService } from "./service_files.ts";
import { withoutArrows } from "../parse/bounded_text.ts";

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

/** Files that are named as kept. */
const MAX_KEPT_LINES = 20;

/**
 * Removes everything that an installation created, by its record.
 *
 * Other files stay and are listed. Without an installation nothing is done.
 *
 * @throws {Error} When something can't be removed; a second run continues.
 */
export async function uninstall(system: TargetSystem, options: UninstallOptions): Promise<void> {
  const { serviceName, print, keepsState = false, keepsOfficialRecord = false, signal } = options;
  const { printLine } = system;
  const paths = servicePaths(serviceName, system);
  const record = readInstallRecord(system.root + paths.record);
  if (record === undefined) {
    requireRoot(serviceName, system);
    return printLine(`Nothing is installed as ${serviceName}: there is no ${paths.record}`);
  }
  const manager = recordedManager(record, system);
  if (!print) await requireManager(manager, system, signal);
  const kept = keepsState ? [record.stateFolder, paths.stateFolder] : [];
  // Others may keep files beside the state in a folder that they have named.
  const whole = [paths.stateFolder, record.runtimeFolder, updateFolder(record.program)];
  // Updates end first, since one in progress would start the service again. The record is last, so
  // that a failed run can be repeated.
  const steps: Step[] = [
    ...(hasUpdateService(record) ? manager.disableUpdates : []),
    ...manager.stop,
    ...manager.disable,
    ...(keepsOfficialRecord ? [] : withUnfinished([officialRecordPath(paths.configFolder)]))
      .map(removeStep),
    ...writtenPaths(record, system).map(removeStep),
    ...manager.reload,
    ...[...new Set([...record.trees, updateFolder(record.program)])]
      .filter((path) => !kept.includes(path))
      .flatMap((path) => whole.includes(path) ? [removeTree(path)] : removeState(path, system)),
    // The next user that is made may get the number of the removed one, and the node's token with it.
    ...(record.createdUser && keepsState
      ? [{ tool: "chown", args: ["-hR", "0:0", record.stateFolder] }]
      : []),
    // Named like the service, even if that runs as another user now.
    ...(record.createdUser ? removeUserCommands(record.service, system) : []),
    ...lingerCommands("disable-linger", record.enabledLinger),
    removeStep(paths.record),
    ...record.folders.map((path): Step => ({ do: "remove empty folder", path })),
  ];
  if (print) return printSteps(effectiveSteps(steps, system), system);
  await applySteps(steps, system, signal);
  printLine(
    keepsState
      ? `Removed ${serviceName}, with its service and configuration; its state stays in ` +
        record.stateFolder
      : `Removed ${serviceName}, with its service, configuration and state.`,
  );
  if (keepsOfficialRecord) return;
  const id = { tool: "id", args: ["-u", serviceName] };
  if (record.createdUser && (await system.tools.run(id, { signal })).code === 0) {
    printLine(`Kept the user ${serviceName}, who could not be removed.`);
  }
  const left = [paths.programFolder, paths.configFolder, ...(keepsState ? [] : record.trees)]
    .flatMap((folder) => entryNames(system.root + folder).map((name) => `${folder}/${name}`));
  for (const path of left.slice(0, MAX_KEPT_LINES)) {
    // Another user may have chosen the name.
    const shown = withoutArrows(path).replace(/\p{Cc}/gu, "?");
    printLine(`Kept ${shown}, which install did not create.`);
  }
  if (left.length > MAX_KEPT_LINES) printLine(`Kept ${left.length - MAX_KEPT_LINES} more.`);
}

function removeTree(path: string): Step {
  return { do: "remove folder", path };
}

/**
 * Removes what agents keep in a folder, and the folder if it is empty then; else it becomes root's, since
 * the next user that is made may get the number of the removed one.
 */
function removeState(path: string, { root, uid }: TargetSystem): Step[] {
  const names = entryNames(root + path);
  const own = names.filter(isAgentEntry);
  const rest: Step = own.length === names.length || uid !== 0
    ? { do: "remove empty folder", path }
    : { tool: "chown", args: ["-h", "0:0", path] };
  return [...own.map((name) => removeTree(`${path}/${name}`)), rest];
}

function requireRoot(serviceName: string, system: TargetSystem): void {
  const { record } = servicePaths(serviceName, system, "system");
  if (scopeOf(system) === "system") return;
  if (!pathExists(system.root + record)) return;
  throw new Error(`Cannot remove ${serviceName}: root has installed it; run this as root`);
}

/** Files to remove, with the backup of an update and interrupted writes. */
function writtenPaths(
  { files, config, logFile, program, links }: InstallRecord,
  { root }: TargetSystem,
): string[] {
  const written = withUnfinished([...files, config, logFile, program, `${program}.old`]);
  const ownLinks = links.filter((path) =>
    attempt(() => Deno.readLinkSync(root + path)) === program
  );
  return [...new Set([...written, ...ownLinks])];
}

function withUnfinished(paths: readonly string[]): string[] {
  return paths.flatMap((path) => [path, `${path}.new`, savedPath(path)]);
}
