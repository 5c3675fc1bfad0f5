/**
 * The command `install`.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { install } from "../service/install.ts";
import { otherSystem } from "../service/managers.ts";
import { replace } from "../service/replace_official.ts";
import { currentSystem } from "../service/target_system.ts";
import type { CommandContext } from "./command.ts";

/**
 * Installs this program as a service; the exit code is 0 if the panel accepts its reports.
 *
 * @throws {UsageError} When it can't be installed here as was asked.
 * @throws {Error} When something could not be made or started.
 */
export async function runInstall(config: Config, context: CommandContext): Promise<number> {
  const printLine = (line: string) => context.print(`${line}\n`);
  const machine = currentSystem({ env: context.env, printLine });
  const { manager } = config;
  const system = manager === undefined ? machine : otherSystem(machine, manager);
  const refusal = await (config.replace ? replace : install)(config, system, context);
  return refusal === undefined ? 0 : 1;
}
