import type { Config } from "../config/config.ts";
import { attempt } from "../attempt.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { writeAll } from "../io/write_all.ts";
import { describeError } from "../log/log.ts";
import { dirname } from "../parse/path.ts";
import { quoteShellWord } from "../parse/shell_words.ts";
import type { Health } from "../state/health_reader.ts";
import { type OpenState, openStates } from "../state/open_states.ts";
import { keepsState, stateFolder } from "../state/paths.ts";
import { lastSetting, settingText, type UnitSetting } from "../service/loaded_unit.ts";
import { agentSays, seenProblem } from "./agent_problems.ts";
import { type CheckResult, failed, ok, skipped, warning } from "./checks.ts";
import { reinstall } from "./doctor_options.ts";
import { ancestry, barrierTo } from "./doctor_rights.ts";
import { isMissing } from "./doctor_unit_program.ts";
import { usedUp } from "./state_trouble.ts";
import { covers, restart } from "./doctor_unit_settings.ts";

/** More than a state takes. */
const TRIED_BYTES = 64 * 1024;

/**
 * The check of the state folder: asks the agent that writes there, and tries to write.
 *
 * @param unit The settings of the service's unit, if the checks run as it does.
 */
export async function checkStateFolder(
  config: Config,
  health: Health | undefined,
  unit: readonly UnitSetting[] = [],
): Promise<CheckResult> {
  if (!keepsState(config)) {
    return skipped("not used without --month-rotate");
  }
  const folder = stateFolder(config);
  const states = health?.isRunning ? openStates(health.pid) : [];
  const lost = states.find(({ name, isDeleted }) =>
    isMissing(`${folder}/${name}`) && (isDeleted || folder === health?.stateFolder)
  );
  if (lost !== undefined) {
    const path = `${folder}/${lost.name}`;
    return failed(
      lost.isDeleted
        ? `${path} was deleted while the agent has it open: the next restart loses its content`
        : `${path} was moved away while the agent has it open: the next restart loses its content`,
      `as root: ${carryOver(lost, folder)}; then restart the agent`,
    );
  }
  const replaced = states.find(({ isDeleted }) => isDeleted);
  if (replaced !== undefined) {
    const path = `${folder}/${replaced.name}`;
    return failed(`${path} was replaced while the agent has it open`, restarting(config).restarted);
  }
  const seen = seenProblem(health, "state");
  const adviceOn = (reason: string) => stateAdvice(folder, { reason, config, health, unit });
  if (seen !== undefined) return failed(agentSays(seen), ...await adviceOn(seen));
  const dynamic = lastSetting(unit, "DynamicUser");
  if (dynamic?.value === "yes") {
    const user = `its user, which systemd makes at each start (${settingText(dynamic)})`;
    return skipped(`${folder} can't be tried as ${user}`);
  }
  for (let path = folder;; path = dirname(path) || "/") {
    try {
      await tryToWrite(path);
      if (health?.pid === 1 && Deno.statSync(path).dev === Deno.statSync("/").dev) {
        return warning(
          `${folder} is in the container's own layer, and is lost with the container`,
          `give the container a volume at ${folder} that its user can write`,
        );
      }
      return path === folder ? ok(folder) : ok(`${folder} can be made`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound && path !== "/") {
        const made = lastSetting(unit, "StateDirectory")?.value;
        const isMade = made !== undefined && made !== "" && folder.endsWith(`/${made}`);
        if (path === folder && isMade) return ok(`${folder} is made by systemd at the next start`);
        continue;
      }
      const reason = describeError(error);
      const text = describeError(new Error(`${folder} can't be written`, { cause: error }));
      return failed(text, ...await adviceOn(reason));
    }
  }
}

/** The commands by which a deleted state gets its name in a folder back. */
function carryOver({ name, descriptor }: OpenState, folder: string): string {
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

/** How the agent is started again; without a command where none is installed. */
function restarting(config: Config): { restarted: string; command: string | undefined } {
  const command = config.isConfigInstalled ? reinstall(config) : undefined;
  const restarted = command === undefined ? "restart the agent" : `restart the agent: ${command}`;
  return { restarted, command };
}

/** Advice about a folder that can't be written, by the reason. */
async function stateAdvice(
  folder: string,
  { reason, config, health, unit }: {
    reason: string;
    config: Config;
    health: Health | undefined;
    unit: readonly UnitSetting[];
  },
): Promise<string[]> {
  const { restarted, command } = restarting(config);
  const name = config.serviceName;
  if (/no space/i.test(reason)) return [await roomAdvice(folder)];
  if (/quota/i.test(reason)) return [`raise the disk quota of the agent's user: quota -u USER`];
  // Process 1 of a machine is another program.
  if (isInContainerImage() || health?.pid === 1) {
    const isVolume = attempt(() => Deno.statSync(folder).dev !== Deno.statSync("/").dev) ?? false;
    const { uid, gid } = attempt(() => Deno.statSync(`/proc/${health?.pid ?? "self"}`)) ?? {};
    return isVolume && /permission denied/i.test(reason)
      ? [
        `give what is mounted at ${folder} to the container's user, on its host: chown -R ${uid}:${gid}`,
      ]
      : [`give the container a volume at ${folder} that its user can write`];
  }
  const dynamic = lastSetting(unit, "DynamicUser");
  if (dynamic?.value === "yes" && /denied|not permitted/i.test(reason)) {
    return [`remove ${settingText(dynamic)}, and then: ${restart(name)}`];
  }
  if (/another agent uses/.test(reason)) return ["give each agent a --state-dir of its own"];
  if (/read-only/i.test(reason)) return readOnlyAdvice(folder, { unit, name });
  if (/not a directory/i.test(reason)) {
    return [
      "a file is where a folder should be: remove it, or choose another one with --state-dir",
    ];
  }
  const [, odd] = / (\/\S+): (?:it is no regular file|Is a directory)/.exec(reason) ?? [];
  if (odd !== undefined) {
    const moved = `move away what is there: mv ${odd} ${odd}.old`;
    return [command === undefined ? `${moved}; then restart the agent` : `${moved} && ${command}`];
  }
  if (/was deleted/.test(reason)) {
    return ["run doctor as root: it has the command that keeps what the agent has counted"];
  }
  if (/not permitted/i.test(reason)) {
    return [
      `see whether it is immutable (an i), which chattr -i ends: lsattr -d ${folder}; lsattr ${folder}`,
      `see its rights: namei -l ${folder}`,
    ];
  }
  if (/permission denied/i.test(reason)) {
    const owner = attempt(() => Deno.statSync(`/proc/${health?.pid ?? "self"}`));
    const { uid, gid } = owner ?? {};
    const barrier = typeof uid === "number" && typeof gid === "number"
      ? barrierTo(folder, { uid, gids: [gid] }, "write")
      : undefined;
    // What the agent has given up it takes again at its start.
    const again = /restart the agent when/.test(reason) && command !== undefined
      ? ` && ${command}`
      : "";
    // A number alone tells chown no group.
    const user = owner === undefined ? "USER:" : `${uid}:${gid}`;
    return [
      barrier !== undefined && barrier.path !== folder
        ? `let the agent's user pass ${barrier.path}: ${barrier.repair}${again}`
        : `give the folder to the agent's user: chown -R ${user} ${folder}${again}`,
      "or choose another folder with --state-dir",
    ];
  }
  if (/restart the agent/.test(reason)) return [`repair that, and ${restarted}`];
  return [`see what hinders it: namei -l ${folder}`, "or choose another folder with --state-dir"];
}

/** A disk may be full of bytes, or of files. */
async function roomAdvice(folder: string): Promise<string> {
  const isThere = (path: string) => attempt(() => Deno.statSync(path)) !== undefined;
  return await usedUp(ancestry(folder).find(isThere) ?? "/") === "inodes"
    ? `all inodes of the disk of ${folder} are used: remove files, of which there are too many ` +
      `(df -i ${folder})`
    : `make room on the disk of ${folder} (df -h ${folder})`;
}

/** A folder may be read-only for the service alone, by its unit. */
function readOnlyAdvice(
  folder: string,
  { unit, name }: { unit: readonly UnitSetting[]; name: string },
): string[] {
  const taken = ["ReadOnlyPaths", "TemporaryFileSystem"].flatMap((name) =>
    unit.filter((it) => it.name === name && covers(it.value, folder))
  );
  const states = unit.filter(({ name }) => name === "StateDirectory");
  const emptied = states.length > 1 && states.at(-1)?.value === "" ? states.slice(-1) : [];
  const settings = [...taken, ...emptied];
  if (settings.length > 0) {
    return settings.map((it) => `remove ${settingText(it)}, and then: ${restart(name)}`);
  }
  const disk = [
    "see whether the kernel made its disk read-only after an error: journalctl -k | grep -i error",
    "make its disk writable (mount -o remount,rw), or choose another folder with --state-dir",
  ];
  const isKept = states.some(({ value }) => folder.endsWith(`/${value}`));
  return lastSetting(unit, "ProtectSystem") === undefined || isKept ? disk : [
    `let the service write there: ReadWritePaths=${folder} in a drop-in (systemctl edit)`,
    ...disk,
  ];
}
