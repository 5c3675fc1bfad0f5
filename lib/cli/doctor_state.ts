import type { Config } from "../config/config.ts";
import { attempt } from "../attempt.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { writeAll } from "../io/write_all.ts";
import { describeError } from "../log/log.ts";
import { dirname } from "../parse/path.ts";
import { quoteShellWord } from "../parse/shell_words.ts";
import type { Health } from "../state/health_reader.ts";
import { type DeletedState, deletedStates } from "../state/deleted_state.ts";
import { stateFolder } from "../state/paths.ts";
import { agentSays, seenProblem } from "./agent_problems.ts";
import { type CheckResult, result } from "./checks.ts";

/** More than a state takes. */
const TRIED_BYTES = 64 * 1024;

/** The check of the state folder: asks the agent that writes there, and tries to write. */
export async function checkStateFolder(
  config: Config,
  health: Health | undefined,
): Promise<CheckResult> {
  if (config.monthRotate === 0 && config.autoDiscoveryKey === "") {
    return result("skipped", "not used without --month-rotate");
  }
  const folder = stateFolder(config);
  const deleted = health?.isRunning ? deletedStates(health.pid) : [];
  const isThere = ({ name }: DeletedState) =>
    attempt(() => Deno.lstatSync(`${folder}/${name}`)) !== undefined;
  const lost = deleted.find((it) => !isThere(it));
  if (lost !== undefined) {
    const path = `${folder}/${lost.name}`;
    return result(
      "failed",
      `${path} was deleted while the agent has it open: the next restart loses its content`,
      `as root: ${carryOver(lost, folder)}; then restart the agent`,
    );
  }
  const [replaced] = deleted;
  if (replaced !== undefined) {
    const path = `${folder}/${replaced.name}`;
    return result(
      "failed",
      `${path} was replaced while the agent has it open`,
      "restart the agent",
    );
  }
  const seen = seenProblem(health, "state");
  if (seen !== undefined) return result("failed", agentSays(seen), stateAdvice(folder, seen));
  for (let path = folder;; path = dirname(path) || "/") {
    try {
      await tryToWrite(path);
      return path === folder ? result("ok", folder) : result("ok", `${folder} can be made`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound && path !== "/") continue;
      const reason = describeError(error);
      return result("failed", `${folder} can't be written: ${reason}`, stateAdvice(folder, reason));
    }
  }
}

/** The commands by which a deleted state gets its name in a folder back. */
function carryOver({ name, descriptor }: DeletedState, folder: string): string {
  const { uid, gid } = Deno.statSync(descriptor);
  const owner = `-o ${uid} -g ${gid}`;
  return `install -d -m 700 ${owner} ${quoteShellWord(folder)} && ` +
    `install -m 600 ${owner} ${descriptor} ${quoteShellWord(`${folder}/${name}`)}`;
}

/** Writes a new file in a folder, brings it to the disk and removes it. @throws {Error} When it can't. */
async function tryToWrite(folder: string): Promise<void> {
  const path = `${folder === "/" ? "" : folder}/.doctor-${crypto.randomUUID()}`;
  const file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  try {
    await writeAll(file, new Uint8Array(TRIED_BYTES));
    await file.syncData();
  } finally {
    file.close();
    await Deno.remove(path);
  }
}

function stateAdvice(folder: string, reason: string): string {
  if (/no space|quota/i.test(reason)) {
    return `make room on the disk of ${folder}`;
  }
  if (isInContainerImage()) {
    return `give the container a volume at ${folder} that its user can write`;
  }
  if (/another agent uses/.test(reason)) {
    return "give each agent a --state-dir of its own";
  }
  if (/read-only/i.test(reason)) {
    return "make its disk writable (mount -o remount,rw), or choose another folder with --state-dir";
  }
  if (/not a directory/i.test(reason)) {
    return "a file is where a folder should be: remove it, or choose another one with --state-dir";
  }
  if (/was deleted/.test(reason)) {
    return "run doctor as root: it has the command that keeps what the agent has counted";
  }
  if (/restart the agent/.test(reason)) return "repair that, and restart the agent";
  return `give the folder to the agent's user (chown), or choose another one with --state-dir`;
}
