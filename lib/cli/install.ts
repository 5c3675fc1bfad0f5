/**
 * The commands `install` and `uninstall`.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { toolLine } from "../host/tool_runner.ts";
import { install } from "../service/install.ts";
import { readOfficialRecord } from "../service/official_record.ts";
import { OfficialService } from "../service/official_service.ts";
import { replace, type ReplaceOptions } from "../service/replace_official.ts";
import { restore } from "../service/restore_official.ts";
import { servicePaths } from "../service/service_paths.ts";
import { currentSystem, scopeOf } from "../service/target_system.ts";
import { uninstall } from "../service/uninstall.ts";

/** Options of both commands. */
export interface CommandOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Takes a line for the user. */
  printLine(line: string): void;
  /** Resolves the configuration with imported settings below everything given now. */
  readonly resolveWith: ReplaceOptions["resolveWith"];
}

/**
 * Installs this program as a service; the exit code is 0 when the panel accepts a report.
 *
 * @throws {UsageError} When the request can't be met on this machine.
 * @throws {Error} When something could not be created or started.
 */
export async function installCommand(config: Config, options: CommandOptions): Promise<number> {
  const act = config.install.replace ? replace : install;
  const refusal = await act(config, currentSystem(options), options);
  return refusal === undefined ? 0 : 1;
}

/**
 * Uninstalls the service, and with `--restore` starts the replaced official agent again.
 *
 * @throws {Error} When something can't be removed, or the official agent does not start.
 */
export async function uninstallCommand(config: Config, options: CommandOptions): Promise<number> {
  const { serviceName, print } = config.install;
  const { signal, printLine } = options;
  const system = currentSystem(options);
  if (config.install.restore) {
    await restore(config, system, options);
    return 0;
  }
  const { configFolder } = servicePaths(serviceName, { ...system, scope: scopeOf(system) });
  const replaced = readOfficialRecord(system.root + configFolder);
  await uninstall(system, { serviceName, print, signal });
  if (replaced !== undefined && !print) {
    const { startCommands } = new OfficialService(replaced, system);
    printLine(
      `The official agent (${replaced.serviceName}) is still installed but stopped; to start it:`,
    );
    printLine(`  ${startCommands.map(toolLine).join(" && ")}`);
  }
  return 0;
}
