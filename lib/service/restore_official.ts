import type { Config } from "../config/config.ts";
import { runTools } from "../host/tool_runner.ts";
import { printSteps } from "./install.ts";
import { type InstallRecord, readInstallRecord } from "./install_record.ts";
import { commandStep } from "./install_step.ts";
import { detectManager, serviceManager } from "./managers.ts";
import { onlyOfficialAgent } from "./official_agent.ts";
import {
  type OfficialRecord,
  readOfficialRecord,
  removeOfficialRecord,
} from "./official_record.ts";
import { OfficialService, type OfficialServiceOptions } from "./official_service.ts";
import type { ServiceManager } from "./service_manager.ts";
import { servicePaths } from "./service_paths.ts";
import { scopeOf, type TargetSystem } from "./target_system.ts";
import { uninstall } from "./uninstall.ts";
import { hasUpdateService } from "./update_service.ts";

/** Going back may take so long, whatever has ended the way there. */
const KEEP_MS = 90_000;

/**
 * Brings an official agent back whose place was taken, and takes this one away.
 *
 * This one stays until the official one runs.
 *
 * @throws {Error} When there is none, or when it does not run; this agent goes on then.
 */
export async function restore(
  config: Config,
  system: TargetSystem,
  { signal, timing }: { signal: AbortSignal } & Pick<OfficialServiceOptions, "timing">,
): Promise<void> {
  const { serviceName, print } = config.install;
  const { tools, printLine } = system;
  const scope = scopeOf(system);
  const paths = servicePaths(serviceName, { ...system, scope });
  const folder = system.root + paths.configFolder;
  const official = readOfficialRecord(folder) ??
    onlyOfficialAgent({ ...system, kind: detectManager(system), scope });
  requireInstalled(official, system);
  const parts = { ...system, ...(timing !== undefined && { timing }) };
  const officialService = new OfficialService(official, parts);
  const record = readInstallRecord(system.root + paths.record);
  const own = record && managerOf(record, system);
  const isUpdated = record !== undefined && hasUpdateService(record);
  // An update that is under way would start it again.
  const stopCommands = [...(isUpdated ? own?.disableUpdates ?? [] : []), ...own?.stop ?? []];
  if (print) {
    const commands = [...stopCommands, ...officialService.startCommands];
    printSteps(commands.map(commandStep), { system, secrets: [] });
    return await uninstall(system, { serviceName, print, signal });
  }
  await runTools(stopCommands, { tools, signal });
  try {
    await officialService.start(signal);
  } catch (error) {
    if (own !== undefined) await restartOwn(own, { officialService, tools, isUpdated });
    throw error;
  }
  printLine(
    `The official agent (${official.serviceName}) runs again, and starts with the machine.`,
  );
  if (record !== undefined) await uninstall(system, { serviceName, print, signal });
  removeOfficialRecord(folder);
}

/** Better this agent than none, and better one than two. */
async function restartOwn(
  own: ServiceManager,
  { officialService, tools, isUpdated }: {
    officialService: OfficialService;
    tools: TargetSystem["tools"];
    isUpdated: boolean;
  },
): Promise<void> {
  const signal = AbortSignal.timeout(KEEP_MS);
  const { stopCommands, disableCommands } = officialService;
  const startCommands = [...own.restart, ...own.enable({ isUpdated })];
  await runTools([...stopCommands, ...disableCommands, ...startCommands], { tools, signal });
}

/** @throws {Error} When what was replaced was removed since. */
function requireInstalled(
  { serviceName, unitPath, binary }: Omit<OfficialRecord, "isDone">,
  { root }: TargetSystem,
) {
  for (const path of [unitPath, binary]) {
    try {
      Deno.statSync(root + path);
    } catch (cause) {
      throw new Error(`Cannot bring back ${serviceName}: ${path} is not there any more`, { cause });
    }
  }
}

function managerOf(
  { manager, service: name, scope, logFile }: InstallRecord,
  { home, uid }: TargetSystem,
): ServiceManager {
  return serviceManager(manager, { name, scope, logFile, home, uid });
}
