import { parseProcessStat } from "../parse/process_stat.ts";

/** A systemd service. */
export interface SystemdUnit {
  /** With its extension, such as `agent.service`. */
  readonly name: string;
  readonly scope: "system" | "user";
}

/**
 * The service of a process, by `/proc/PID/cgroup`; `undefined` when it belongs to none.
 *
 * A user's manager is a system service, and contains that user's services.
 */
export function systemdUnitOf(text: string): SystemdUnit | undefined {
  for (const line of text.split("\n")) {
    const [, path = ""] = /^(?:0::|\d+:name=systemd:)(\/.*)$/.exec(line) ?? [];
    const services = path.split("/").filter((part) => /^[\w@:.\\-]+\.service$/.test(part));
    const name = services.at(-1);
    if (name === undefined || isUserManager(name)) continue;
    return { name, scope: services.some(isUserManager) ? "user" : "system" };
  }
  return undefined;
}

function isUserManager(name: string): boolean {
  return /^user@\d+\.service$/.test(name);
}

/** Appended by the kernel to the path of a replaced executable. */
const DELETED = " (deleted)";

/**
 * Whether a process runs a program file, compiled or as a script among its arguments. Always true
 * without `/proc`.
 *
 * The pid comes from a file that the agent writes, so it is checked before the process is
 * signalled.
 */
export async function runsProgram(pid: number, path: string): Promise<boolean> {
  if (Deno.build.os !== "linux") return true;
  try {
    const program = Deno.readLinkSync(`/proc/${pid}/exe`);
    if (program === path || program === path + DELETED) return true;
    const cwd = Deno.readLinkSync(`/proc/${pid}/cwd`);
    const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
    for (const word of words.filter((it) => it.includes("/") && !it.startsWith("-"))) {
      if (await realPath(word.startsWith("/") ? word : `${cwd}/${word}`) === path) return true;
    }
    return false;
  } catch {
    return false;
  }
}

/** Whether a process reads from a terminal, so a user started it, not a service. */
export function isAttachedToTerminal(pid: number): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    return /^\/dev\/(?:pts\/|tty|console)/.test(Deno.readLinkSync(`/proc/${pid}/fd/0`));
  } catch {
    return false;
  }
}

/** Whether systemd started a process, or adopted it as an orphan. */
export function isChildOfSystemd(pid: number): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    const { parentPid: parent } = parseProcessStat(Deno.readTextFileSync(`/proc/${pid}/stat`));
    return Deno.readTextFileSync(`/proc/${parent}/comm`).trim() === "systemd";
  } catch {
    return false;
  }
}

/**
 * The systemd service that started a process directly; `undefined` when there is none. Only systemd
 * knows whether it is the main process.
 */
export function unitOfProcess(pid: number): SystemdUnit | undefined {
  if (!isChildOfSystemd(pid)) return undefined;
  try {
    return systemdUnitOf(Deno.readTextFileSync(`/proc/${pid}/cgroup`));
  } catch {
    return undefined;
  }
}

/** Whether this process ends when systemd restarts the service of another one. */
export function sharesServiceWith(pid: number): boolean {
  if (unitOfProcess(pid) === undefined) return false;
  try {
    const theirs = Deno.readTextFileSync(`/proc/${pid}/cgroup`);
    return Deno.readTextFileSync("/proc/self/cgroup") === theirs;
  } catch {
    return false;
  }
}

async function realPath(path: string): Promise<string | undefined> {
  try {
    return await Deno.realPath(path);
  } catch {
    return undefined;
  }
}
