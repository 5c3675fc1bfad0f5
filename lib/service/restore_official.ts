import type { Config } from "../config/config.ts";
import { runTools } from "../host/tool_runner.ts";
import { printSteps } from "./install.ts";
import { readInstallRecord } from "./install_record.ts";
import { recordedManager } from "./managers.ts";
import { onlyOfficialAgent } from "./official_agent.ts";
import {
  officialManager,
  type OfficialService,
  readOfficialRecord,
  removeOfficialRecord,
  startOfficial,
  UNDO_TIMEOUT_MS,
} from "./official_service.ts";
import { servicePaths } from "./service_paths.ts";
import type { TargetSystem } from "./target_system.ts";
import { uninstall } from "./uninstall.ts";
import { hasUpdateService } from "./update_service.ts";

/**
 * Starts the replaced official agent again, and uninstalls this one.
 *
 * This agent is removed only once the official one is running.
 *
 * @throws {Error} When there is no official agent, or it does not start; this agent is started
 * again then.
 */
export async function restore(
  config: Config,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<void> {
  const { serviceName, print } = config;
  const { tools, printLine } = system;
  const paths = servicePaths(serviceName, system);
  const folder = system.root + paths.configFolder;
  const official = readOfficialRecord(folder) ?? onlyOfficialAgent(system);
  requireInstalled(official, system);
  const { stop, disable, enable, restart } = officialManager(official, system);
  const record = readInstallRecord(system.root + paths.record);
  const own = record && recordedManager(record, system);
  const isUpdated = record !== undefined && hasUpdateService(record);
  // An update in progress would start it again.
  const stopCommands = [...(isUpdated ? own?.disableUpdates ?? [] : []), ...own?.stop ?? []];
  if (print) {
    printSteps([...stopCommands, ...enable, ...restart], system);
    return await uninstall(system, { serviceName, print, signal });
  }
  await runTools(stopCommands, { tools, signal });
  try {
    await startOfficial(official, system, signal);
  } catch (error) {
    if (own !== undefined) {
      // Exactly one of the two agents must run, whatever has ended the restoration.
      const startCommands = [
        ...own.restart,
        ...own.enable,
        ...(isUpdated ? own.enableUpdates : []),
      ];
      const commands = [...stop, ...disable, ...startCommands];
      await runTools(commands, { tools, signal: AbortSignal.timeout(UNDO_TIMEOUT_MS) });
    }
    throw error;
  }
  printLine(`The official agent (${official.serviceName}) is running again, and starts at boot.`);
  if (record !== undefined) await uninstall(system, { serviceName, print, signal });
  await removeOfficialRecord(folder);
}

/** @throws {Error} When files of the replaced agent were removed. */
function requireInstalled(
  { serviceName, unitPath, binary }: OfficialService,
  { root }: TargetSystem,
) {
  for (const path of [unitPath, binary]) {
    try {
      Deno.statSync(root + path);
    } catch (cause) {
      throw new Error(`Cannot restore ${serviceName}: ${path} is missing`, { cause });
    }
  }
}
