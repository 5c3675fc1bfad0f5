/**
 * The command `install`.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { install } from "../service/install.ts";
import { agentFolders } from "../service/install_record.ts";
import { replace } from "../service/replace_official.ts";
import { currentSystem, type TargetSystem } from "../service/target_system.ts";
import { readHealth } from "../state/health_reader.ts";
import type { CommandContext } from "./command.ts";
import { noteOnOthers } from "../doctor/other_agents.ts";

type InstallAct = (
  config: Config,
  system: TargetSystem,
  context: CommandContext,
) => Promise<string | undefined>;

/**
 * Installs this program as a service; the exit code is 0 if the panel accepts its reports.
 *
 * @throws {UsageError} When it can't be installed here as was asked.
 * @throws {Error} When something could not be made or started.
 */
export async function runInstall(
  config: Config,
  context: CommandContext,
  act: InstallAct = config.replace ? replace : install,
): Promise<number> {
  // Other users can use the folders that it creates, but not write into them, whatever the caller's umask.
  Deno.umask(0o022);
  // A terminal that has gone takes no more lines, and the installation goes on without it.
  const printLine = (line: string) => void attempt(() => context.print(`${line}\n`));
  const system = currentSystem({ env: context.env, printLine });
  // As a lost ssh does it: what was only half tried is put back then.
  const hangUp = new AbortController();
  Deno.addSignalListener("SIGHUP", () => hangUp.abort());
  const signal = AbortSignal.any([context.signal, hangUp.signal]);
  const refusal = await act(config, system, { ...context, signal });
  const health = config.print ? undefined : readHealth(agentFolders(config, context.env));
  const beside = await noteOnOthers(config, health, context);
  if (beside !== undefined) printLine(`Note: ${beside}`);
  return refusal === undefined ? 0 : 1;
}
