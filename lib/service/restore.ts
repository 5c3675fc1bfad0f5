import type { Config } from "../config/config.ts";
import { runTools } from "../host/tool_runner.ts";
import { printSteps } from "./install.ts";
import { type InstallRecord, readInstallRecord } from "./install_record.ts";
import { runStep } from "./install_step.ts";
import { detectManager, serviceManager } from "./managers.ts";
import { onlyOfficialAgent } from "./official_agent.ts";
import { readReplaced, removeReplaced, type ReplacedAgent } from "./official_backup.ts";
import { OfficialSwitch, type SwitchParts } from "./official_switch.ts";
import type { ServiceManager } from "./service_manager.ts";
import { servicePlaces } from "./service_paths.ts";
import { scopeOf, type Site } from "./target_system.ts";
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
  site: Site,
  { signal, pace }: { signal: AbortSignal } & Pick<SwitchParts, "pace">,
): Promise<void> {
  const { serviceName, print } = config.install;
  const { tools, say } = site;
  const scope = scopeOf(site);
  const places = servicePlaces(serviceName, { ...site, scope });
  const folder = site.root + places.configFolder;
  const official = readReplaced(folder) ??
    onlyOfficialAgent({ ...site, kind: detectManager(site), scope });
  requireThere(official, site);
  const parts = { ...site, ...(pace !== undefined && { pace }) };
  const officialSwitch = new OfficialSwitch(official, parts);
  const record = readInstallRecord(site.root + places.record);
  const own = record && managerOf(record, site);
  const isUpdated = record !== undefined && hasUpdateService(record);
  // An update that is under way would start it again.
  const stopping = [...(isUpdated ? own?.disableUpdates ?? [] : []), ...own?.stop ?? []];
  if (print) {
    const commands = [...stopping, ...officialSwitch.starting];
    printSteps(commands.map(runStep), { site, secrets: [] });
    return await uninstall(site, { serviceName, print, signal });
  }
  await runTools(stopping, { tools, signal });
  try {
    await officialSwitch.bringBack(signal);
  } catch (error) {
    if (own !== undefined) await keepOwn(own, { officialSwitch, tools, isUpdated });
    throw error;
  }
  say(`The official agent (${official.serviceName}) runs again, and starts with the machine.`);
  if (record !== undefined) await uninstall(site, { serviceName, print, signal });
  removeReplaced(folder);
}

/** Better this agent than none, and better one than two. */
async function keepOwn(
  own: ServiceManager,
  { officialSwitch, tools, isUpdated }: {
    officialSwitch: OfficialSwitch;
    tools: Site["tools"];
    isUpdated: boolean;
  },
): Promise<void> {
  const signal = AbortSignal.timeout(KEEP_MS);
  const { stopping, disabling } = officialSwitch;
  const starting = [...own.restart, ...own.enable({ isUpdated })];
  await runTools([...stopping, ...disabling, ...starting], { tools, signal });
}

/** @throws {Error} When what was replaced was removed since. */
function requireThere(
  { serviceName, unitPath, binary }: Omit<ReplacedAgent, "isDone">,
  { root }: Site,
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
  { home, uid }: Site,
): ServiceManager {
  return serviceManager(manager, { name, scope, logFile, home, uid });
}
