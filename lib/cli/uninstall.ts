/**
 * The command `uninstall`.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { toolLine } from "../host/tool_runner.ts";
import { officialManager, readOfficialRecord } from "../service/official_service.ts";
import { restore } from "../service/replace_official.ts";
import { servicePaths } from "../service/service_manager.ts";
import { currentSystem } from "../service/target_system.ts";
import { uninstall } from "../service/uninstall.ts";
import type { CommandContext } from "./command.ts";

/**
 * Removes everything that was installed, but with `--keep-state` not the state; with `--restore` it
 * also starts the official agent that was replaced.
 *
 * @throws {Error} When something can't be removed, or the official agent not be restored.
 */
export async function runUninstall(config: Config, context: CommandContext): Promise<number> {
  const { serviceName, print, keepState: keepsState } = config;
  const { signal, env } = context;
  const printLine = (line: string) => context.print(`${line}\n`);
  const system = currentSystem({ env, printLine });
  if (config.restore) {
    await restore(config, system, signal);
    return 0;
  }
  const { configFolder } = servicePaths(serviceName, system);
  const replaced = readOfficialRecord(system.root + configFolder);
  await uninstall(system, { serviceName, print, keepsState, signal });
  if (replaced !== undefined && !print) {
    const { enable, restart } = officialManager(replaced, system);
    printLine(
      `The official agent (${replaced.serviceName}) is still installed but stopped; to start it:`,
    );
    printLine(`  ${[...enable, ...restart].map(toolLine).join(" && ")}`);
  }
  return 0;
}
