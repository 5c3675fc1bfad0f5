/**
 * Whether the agent can keep its state: what it says itself, and what a look at its folder says.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { writeAll } from "../io/write_all.ts";
import { describeError } from "../log/log.ts";
import { dirname } from "../parse/path.ts";
import { quoteShellWord } from "../parse/shell_words.ts";
import type { Platform } from "../metrics/open_machine.ts";
import type { LoadedUnit } from "../service/loaded_unit.ts";
import type { Health } from "../state/health_reader.ts";
import { openStates } from "../state/open_states.ts";
import { keepsState, stateFolder } from "../state/paths.ts";
import { agentSays, seenProblem } from "./agent_problems.ts";
import { processIds } from "./agent_process.ts";
import { failed, type Finding, type Line, ok, skipped, warning } from "./check.ts";
import { type OfService, reinstall } from "./options.ts";
import { ancestry, barrierTo, isMissing } from "./rights.ts";
import { candidates } from "./service.ts";
import { stateTrouble, usedUp } from "./state_trouble.ts";

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
  const lost = (health?.isRunning ? openStates(health.pid) : []).find(({ name, isDeleted }) =>
    isDeleted && isMissing(`${folder}/${name}`)
  );
  if (lost !== undefined) {
    const { uid, gid } = Deno.statSync(lost.descriptor);
    const [owner, file] = [`-o ${uid} -g ${gid}`, quoteShellWord(`${folder}/${lost.name}`)];
    return failed(
      `${folder}/${lost.name} was deleted while the agent has it open: the next restart loses its content`,
      `as root: install -d -m 700 ${owner} ${quoteShellWord(folder)} && install -m 600 ${owner} ` +
        `${lost.descriptor} ${file}; then restart the agent`,
    );
  }
  const seen = seenProblem(health, "state");
  if (seen !== undefined) return failed(agentSays(seen), ...await advice(folder, seen, here));
  // This process may be another user than the agent's.
  const trouble = health && await stateTrouble({ ...health, stateFolder: folder });
  if (trouble !== undefined) return failed(trouble, ...await advice(folder, trouble, here));
  if (health !== undefined && health.pid !== 1) {
    return ok(`${folder}, without trouble for the agent`);
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
    return failed(text, ...await advice(folder, text, here));
  }
  const isOwnLayer = here.health?.pid === 1 && Deno.statSync(there).dev === Deno.statSync("/").dev;
  if (isOwnLayer) {
    return warning(
      `${folder} is in the container's own layer, and is lost with the container`,
      `give the container a volume at ${folder} that its user can write`,
    );
  }
  return ok(there === folder ? folder : `${folder} can be made`);
}

/** What to do about a folder that can't be written, by the reason. */
async function advice(folder: string, reason: string, here: Here): Promise<Line[]> {
  const { config, health } = here;
  const again = config.isConfigInstalled ? ` && ${reinstall(config)}` : ", and restart the agent";
  if (/no space|is full|inodes/i.test(reason)) {
    return await usedUp(ancestry(folder).find((path) => !isMissing(path)) ?? "/") === "inodes"
      ? [
        `all inodes of the disk of ${folder} are used: remove files, of which there are too many (df -i ${folder})`,
      ]
      : [`make room on the disk of ${folder} (df -h ${folder})`];
  }
  const ids = processIds(health?.pid ?? Deno.pid);
  const user = ids === undefined ? "USER:" : `${ids.uid}:${ids.gids[0]}`;
  if (isInContainerImage() || health?.pid === 1) {
    const isVolume = attempt(() => Deno.statSync(folder).dev !== Deno.statSync("/").dev) ?? false;
    return [
      isVolume
        ? `give what is mounted at ${folder} to the container's user, on its host: chown -R ${user}`
        : `give the container a volume at ${folder} that its user can write`,
    ];
  }
  if (/another agent uses/.test(reason)) return ["give each agent a --state-dir of its own"];
  if (/not a directory|no regular file|is a directory/i.test(reason)) {
    return [
      "something else is where a folder, or file, should be: move it away, or choose another --state-dir",
    ];
  }
  if (/read-only/i.test(reason)) {
    const added = here.unit &&
      candidates({ unit: here.unit, install: reinstall(config) }, "it is kept");
    return [
      added?.look,
      "see whether the kernel made its disk read-only after an error: journalctl -k | grep -i error",
      `make its disk writable (mount -o remount,rw), or choose another folder with --state-dir`,
    ];
  }
  const barrier = ids && barrierTo(folder, ids, "write");
  return [
    barrier !== undefined && barrier.path !== folder
      ? `let the agent's user pass ${barrier.path}: ${barrier.repair}`
      : /denied|may not use/i.test(reason) &&
        `give the folder to the agent's user: chown -R ${user} ${folder}${again}`,
    `see what hinders it: namei -l ${folder}; lsattr -d ${folder}; findmnt -T ${dirname(folder)}`,
    "or choose another folder with --state-dir",
  ];
}
