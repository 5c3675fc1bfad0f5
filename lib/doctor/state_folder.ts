/**
 * Whether the agent can keep its state: what it says itself, and what a look at its folder says.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { diagnoseOwn } from "../diagnosis/diagnose.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { writeAll } from "../io/write_all.ts";
import { describeError } from "../log/log.ts";
import type { Platform } from "../metrics/open_machine.ts";
import type { LoadedUnit } from "./loaded_unit.ts";
import type { Health } from "../state/health_reader.ts";
import { keepsState, stateFolder } from "../state/paths.ts";
import { agentSays, processIds, seenProblem } from "./agent_problems.ts";
import { failed, type Finding, type Line, ok, skipped, warning } from "./check.ts";
import { candidates } from "./found_service.ts";
import { type OfService, reinstall } from "./options.ts";
import { ancestry, barrierTo, isMissing } from "./rights.ts";
import { stateTrouble } from "./state_trouble.ts";

/** What the checks of this machine are made by. */
export interface Here extends OfService, Platform {
  /** The unit of the service, where systemd has one. */
  readonly unit?: LoadedUnit | undefined;
  readonly health: Health | undefined;
}

/** More than a state takes. */
const TRIED_BYTES = 64 * 1024;

/** The check of the state folder: asks the agent that writes there, and else tries to write. */
export async function checkStateFolder(here: Here): Promise<Finding> {
  const { config, health } = here;
  if (!keepsState(config)) return skipped("not used without --month-rotate");
  const folder = health?.stateFolder ?? stateFolder(config);
  const seen = seenProblem(health, "state");
  // This process may be another user than the agent's.
  const trouble = seen ?? (health && await stateTrouble({ ...health, stateFolder: folder }));
  if (trouble !== undefined) {
    const text = seen === undefined ? trouble : agentSays(seen);
    return failed(text, ...advice(folder, trouble, here));
  }
  if (health !== undefined && health.pid !== 1) {
    return ok(`${folder}, which the agent can use`);
  }
  return await tryToWrite(folder, here);
}

/** Writes a new file in the folder, or where it would be made. */
async function tryToWrite(folder: string, here: Here): Promise<Finding> {
  const there = ancestry(folder).find((path) => !isMissing(path)) ?? "/";
  const path = `${there === "/" ? "" : there}/.doctor-${crypto.randomUUID()}`;
  try {
    const file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    try {
      await writeAll(file, new Uint8Array(TRIED_BYTES));
      await file.syncData();
    } finally {
      file.close();
      await Deno.remove(path);
    }
  } catch (error) {
    const text = describeError(new Error(`${folder} can't be written`, { cause: error }));
    return failed(text, ...advice(folder, text, here));
  }
  const isOwnLayer = here.health?.pid === 1 && Deno.statSync(there).dev === Deno.statSync("/").dev;
  return isOwnLayer
    ? warning(
      `${folder} is in the container's own layer, and is lost with the container`,
      `give the container a volume at ${folder} that its user can write`,
    )
    : ok(there === folder ? folder : `${folder} can be made`);
}

/** What to do about a folder that can't be written, by the reason. */
function advice(folder: string, reason: string, here: Here): Line[] {
  const { config, health, unit } = here;
  const { cause, action } = diagnoseOwn("state", reason, folder);
  const ids = processIds(health?.pid ?? Deno.pid);
  const user = ids === undefined ? "USER:" : `${ids.uid}:${ids.gids[0]}`;
  if (cause !== "own disk" && (isInContainerImage() || health?.pid === 1)) {
    const isVolume = attempt(() => Deno.statSync(folder).dev !== Deno.statSync("/").dev) ?? false;
    return [
      isVolume
        ? `give what is mounted at ${folder} to the container's user, on its host: chown -R ${user}`
        : `give the container a volume at ${folder} that its user can write`,
    ];
  }
  if (cause === "read-only state") {
    return [
      unit && candidates({ unit, install: reinstall(config) }, "it is kept")?.look,
      "see whether the kernel made its disk read-only after an error: journalctl -k | grep -i error",
      action,
    ];
  }
  if (cause !== "rights of the state") return [action];
  const barrier = ids && barrierTo(folder, ids, "write");
  const again = config.isConfigInstalled ? ` && ${reinstall(config)}` : ", and restart the agent";
  return [
    barrier !== undefined && barrier.path !== folder
      ? `let the agent's user pass ${barrier.path}: ${barrier.repair}`
      : `if it holds only the agent's files, give it to the agent's user: chown -R ${user} ${folder}${again}`,
    "or choose another folder with --state-dir",
  ];
}
