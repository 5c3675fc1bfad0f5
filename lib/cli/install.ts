/**
 * The commands `install` and `uninstall`.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { toolLine } from "../host/tool_runner.ts";
import { install } from "../service/install.ts";
import { readReplaced } from "../service/official_backup.ts";
import { OfficialSwitch } from "../service/official_switch.ts";
import { replace, type ReplaceOptions } from "../service/replace.ts";
import { restore } from "../service/restore.ts";
import { servicePlaces } from "../service/service_paths.ts";
import { scopeOf, thisSite } from "../service/target_system.ts";
import { uninstall } from "../service/uninstall.ts";

/** What a command may use. */
export interface CommandOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Takes a line for the user. */
  say(line: string): void;
  /** What was asked for, with what an official agent was told below it. */
  readonly reconsider: ReplaceOptions["reconsider"];
}

/**
 * Installs this program as a service; the exit code says whether the panel accepts its reports.
 *
 * @throws {UsageError} When it can't be installed here as was asked.
 * @throws {Error} When something could not be made or started.
 */
export async function installCommand(config: Config, options: CommandOptions): Promise<number> {
  const act = config.install.replace ? replace : install;
  const refusal = await act(config, thisSite(options), options);
  return refusal === undefined ? 0 : 1;
}

/**
 * Takes away what was installed, and brings back the agent whose place it has taken if that is
 * wanted.
 *
 * @throws {Error} When something can't be removed, or the other one not brought back.
 */
export async function uninstallCommand(config: Config, options: CommandOptions): Promise<number> {
  const { serviceName, print } = config.install;
  const { signal, say } = options;
  const site = thisSite(options);
  if (config.install.restore) {
    await restore(config, site, options);
    return 0;
  }
  const { configFolder } = servicePlaces(serviceName, { ...site, scope: scopeOf(site) });
  const replaced = readReplaced(site.root + configFolder);
  await uninstall(site, { serviceName, print, signal });
  if (replaced !== undefined && !print) {
    const { starting } = new OfficialSwitch(replaced, site);
    say(
      `The official agent (${replaced.serviceName}) is still there and does not run; start it by`,
    );
    say(`  ${starting.map(toolLine).join(" && ")}`);
  }
  return 0;
}
