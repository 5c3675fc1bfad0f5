import type { ToolCommand } from "../host/tool_runner.ts";
import { updateFolder } from "../host/update_state.ts";
import { dirname } from "../parse/path.ts";
import { printSteps } from "./install.ts";
import { type InstallRecord, readInstallRecord } from "./install_record.ts";
import { effectiveSteps, runStep, type Step, takeSteps } from "./install_step.ts";
import { managerTrouble, serviceManager } from "./managers.ts";
import { replacedNote } from "./official_backup.ts";
import type { ServiceManager } from "./service_manager.ts";
import { servicePlaces } from "./service_paths.ts";
import { removeUser } from "./service_user.ts";
import { isThere, scopeOf, type Site } from "./target_system.ts";
import { hasUpdateService } from "./update_service.ts";

/** Which service goes, and whether that is only told. */
export interface UninstallOptions {
  readonly serviceName: string;
  readonly print: boolean;
  /** Whether the note of a replaced agent stays, for whoever is going to bring that one back. */
  readonly keepsNote?: boolean;
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
  site: Site,
  { serviceName, print, keepsNote = false, signal }: UninstallOptions,
): Promise<void> {
  const { record: path } = servicePlaces(serviceName, { ...site, scope: scopeOf(site) });
  const record = readInstallRecord(site.root + path);
  if (record === undefined) {
    requireRoot(serviceName, site);
    site.say(`Nothing is installed as ${serviceName}: there is no ${path}`);
    return;
  }
  const manager = managerOf(record, site);
  const trouble = await managerTrouble(manager, site, signal);
  if (trouble !== undefined) {
    site.say(
      `This user's service manager does not answer (${trouble}): the files go without it; should ` +
        "the service run, it ends with that manager",
    );
  }
  const isReached = trouble === undefined;
  const steps = uninstallSteps(record, { manager, isReached, site, recordPath: path, keepsNote });
  if (print) return printSteps(effectiveSteps(steps, site), { site, secrets: [] });
  await takeSteps(steps, { site, signal });
  site.say(`Removed ${serviceName}, with its service, configuration and state.`);
  for (const left of leftIn([...record.folders, record.stateFolder], site)) {
    site.say(`  ${left} stays: it was not made by the installation`);
  }
}

function requireRoot(serviceName: string, site: Site): void {
  const { record } = servicePlaces(serviceName, { ...site, scope: "system" });
  if (scopeOf(site) === "system" || !isThere(site.root + record)) return;
  throw new Error(`Cannot remove ${serviceName}: root has installed it; run this as root`);
}

/** All that is done, in its order; the record goes last, so that it can be done again. */
function uninstallSteps(
  record: InstallRecord,
  { manager, isReached, site, recordPath, keepsNote }: {
    manager: ServiceManager;
    /** Whether the manager can be asked for anything. */
    isReached: boolean;
    site: Site;
    recordPath: string;
    keepsNote: boolean;
  },
): Step[] {
  const { service, program, config, files, links, folders, trees, logFile, madeLinger } = record;
  const { tools } = site;
  // What an update leaves beside the program, and what was cut off while it was written.
  const programs = [program, `${program}.old`];
  const note = keepsNote ? [] : [replacedNote(dirname(recordPath))];
  const written = [...note, ...files, config, logFile, ...programs].flatMap((
    path,
  ) => [path, `${path}.new`]);
  const ownLinks = links.filter((path) => leadsTo(site.root + path, program));
  const enabled = isReached ? [] : manager.ofUser?.links ?? [];
  const updates = hasUpdateService(record) ? manager.disableUpdates : [];
  return [
    ...(isReached ? [...updates, ...manager.stop, ...manager.disable] : []).map(runStep),
    ...enabled.flatMap((path): Step[] => [
      { do: "remove", path },
      { do: "remove empty folder", path: dirname(path) },
    ]),
    ...[...new Set([...written, ...ownLinks])].map((path): Step => ({ do: "remove", path })),
    ...(isReached ? manager.reload : []).map(runStep),
    ...[...trees, updateFolder(program)].map((path): Step => ({ do: "remove folder", path })),
    // It is called as the service is, whomever that runs as by now.
    ...(record.madeUser ? removeUser(service, { tools }).map(runStep) : []),
    ...(madeLinger === "" ? [] : [runStep(noLinger(madeLinger))]),
    { do: "remove", path: recordPath },
    ...folders.map((path): Step => ({ do: "remove empty folder", path })),
  ];
}

function managerOf(record: InstallRecord, { home, uid }: Site): ServiceManager {
  const { manager, service: name, scope, logFile } = record;
  return serviceManager(manager, { name, scope, logFile, home, uid });
}

function noLinger(user: string): ToolCommand {
  return { tool: "loginctl", args: ["--no-ask-password", "disable-linger", user], mayFail: true };
}

function leadsTo(path: string, program: string): boolean {
  try {
    return Deno.readLinkSync(path) === program;
  } catch {
    return false;
  }
}

/** What is still in folders of ours; those of others are full of what is none of our business. */
function leftIn(folders: readonly string[], { root }: Pick<Site, "root">): string[] {
  return [...new Set(folders)].flatMap((folder) => {
    try {
      return Array.from(Deno.readDirSync(root + folder), ({ name }) => `${folder}/${name}`);
    } catch {
      return [];
    }
  });
}
