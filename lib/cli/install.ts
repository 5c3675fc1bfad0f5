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
  // A terminal that has gone takes no more lines, and the installation goes on without it.
  const printLine = (line: string) => void attempt(() => context.print(`${line}\n`));
  const system = currentSystem({ env: context.env, printLine });
  const hangUp = hangUpSignal();
  const signal = AbortSignal.any([context.signal, hangUp]);
  try {
    const refusal = await act(config, system, { ...context, signal });
    const health = config.print ? undefined : readHealth(agentFolders(config, context.env));
    const beside = await noteOnOthers(config, health, context.env);
    if (beside !== undefined) printLine(`Note: ${beside}`);
    return refusal === undefined ? 0 : 1;
  } catch (error) {
    if (hangUp.aborted) return HUNG_UP_CODE;
    throw error;
  }
}

/** As shells name an end by SIGHUP. */
const HUNG_UP_CODE = 129;

/**
 * Aborts when the terminal hangs up, as a lost ssh does: what was only half tried is put back then.
 * Never after `nohup`, which lets it go on.
 */
function hangUpSignal(): AbortSignal {
  const hangUp = new AbortController();
  const status = attempt(() => Deno.readTextFileSync("/proc/self/status")) ?? "";
  if (!isHangUpIgnored(status)) Deno.addSignalListener("SIGHUP", () => hangUp.abort());
  return hangUp.signal;
}

/** Whether a process ignores SIGHUP, the first signal in the mask of its `/proc/PID/status`. */
export function isHangUpIgnored(status: string): boolean {
  const [, mask = "0"] = /^SigIgn:\s*([0-9a-f]{1,16})$/m.exec(status) ?? [];
  return (BigInt(`0x${mask}`) & 1n) === 1n;
}
