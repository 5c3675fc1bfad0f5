/**
 * The command without a name: reports this machine until it is asked to end.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { requireCredentials } from "../config/credentials.ts";
import { runtimeFolders } from "../state/paths.ts";
import { getLogger } from "../log/log.ts";
import { type CommandContext, supportedPlatform } from "./command.ts";
import { logToStandardError, logUnhandledErrors, printError } from "./output.ts";

/** Reports as the given node, or as the one that this machine registers as. */
export async function runReport(config: Config, context: CommandContext): Promise<number> {
  const { signal, secrets } = context;
  if (config.isConfigInstalled) await requireStopped(runtimeFolders(config));
  const contexts = config.furtherPanels.length === 0
    ? undefined
    // Following each call costs memory; with a single panel no line has to name it.
    : new (await import("node:async_hooks")).AsyncLocalStorage<Record<string, unknown>>();
  const write = config.logLanguage === "en" ? printError : context.printError;
  logToStandardError(config, secrets, { contexts, write });
  // Behind the notices, of which one may be of a misspelt variable.
  requireCredentials(config, { verb: "report" });
  logUnhandledErrors();
  if (config.configPath !== undefined) {
    getLogger("agent").info("Configuration: {path}", { path: config.configPath });
  }
  await context.runAgent(config, { ...supportedPlatform(), signal, secrets });
  getLogger("agent").info("Stopped");
  return 0;
}

/**
 * Two agents of one node would take the connection from each other.
 *
 * @throws {Error} When an agent is running whose health file is in one of these folders.
 */
async function requireStopped(folders: readonly string[]): Promise<void> {
  // Most agents run without it, and it takes megabytes.
  const { readHealth } = await import("../state/health_reader.ts");
  const health = readHealth(folders);
  if (health?.isRunning !== true) return;
  throw new Error(
    `Cannot report with the installed configuration: an agent is running already (process ` +
      `${health.pid}); stop it first`,
  );
}
