/**
 * The commands `install` and `uninstall`.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { install } from "./install.ts";
import { thisSite } from "./site.ts";
import { uninstall } from "./uninstall.ts";

/** What a command may use. */
export interface CommandOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Takes a line for the user. */
  say(line: string): void;
}

/**
 * Installs this program as a service; the exit code says whether the panel accepts its reports.
 *
 * @throws {UsageError} When it can't be installed here as was asked.
 * @throws {Error} When something could not be made or started.
 */
export async function installCommand(config: Config, options: CommandOptions): Promise<number> {
  const refusal = await install(config, thisSite(options), options);
  return refusal === undefined ? 0 : 1;
}

/** Takes away what was installed. @throws {Error} When something can't be removed. */
export async function uninstallCommand(config: Config, options: CommandOptions): Promise<number> {
  const { serviceName, print } = config.install;
  const { signal } = options;
  await uninstall(thisSite(options), { serviceName, print, signal });
  return 0;
}
