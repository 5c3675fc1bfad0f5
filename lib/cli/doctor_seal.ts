/**
 * The check of `doctor` of the seal: of what the agent gives up before it reads from the network.
 *
 * @module
 */

import { isRootUntilSealed, sealNeeds, ShellNames } from "../agent/shell_names.ts";
import type { Config } from "../config/config.ts";
import { hostRoots, type Platform } from "../metrics/open_machine.ts";
import { isWhole, sealGap, sealProcess } from "../sandbox/seal.ts";
import { startShell } from "../sandbox/shell.ts";
import type { Health } from "../state/health_reader.ts";
import { type Check, check, ok, result, skipped, warning } from "./checks.ts";

/**
 * The check of the seal: what the running agent says of it; where none does, this process is sealed to
 * find out.
 */
export function sealCheck(
  config: Config,
  { os, health }: Platform & { health: Health | undefined },
): Check {
  return check("seal", "Seal", async (signal) => {
    if (health !== undefined && health.seal !== "") {
      return result(isWhole(health.seal) || config.remoteControl ? "ok" : "warning", health.seal);
    }
    if (config.remoteControl) return skipped("not used: remote control is on");
    const asNobody = isRootUntilSealed(config);
    const shell = startShell({ ...hostRoots(config.hostProc), os, asNobody });
    const needs = await sealNeeds(config, { names: new ShellNames(shell), shell, signal });
    await shell?.close();
    const seal = await sealProcess(needs);
    const gap = sealGap(seal);
    if (gap === undefined) {
      return ok(
        asNobody
          ? "the kernel and the runtime can seal the agent, which is root until then and nobody from then on"
          : "the kernel and the runtime can seal the agent",
      );
    }
    return warning(
      seal.kernelError === undefined
        ? `the kernel and the runtime can seal the agent, but ${gap}`
        : `only the runtime can seal the agent: ${gap}`,
    );
  });
}
