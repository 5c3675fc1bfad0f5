import { parseProcessStat } from "../parse/process_stat.ts";

/** A service of systemd's, the machine's or a user's. */
export interface SystemdUnit {
  /** With its ending, as in `agent.service`. */
  readonly name: string;
  readonly scope: "system" | "user";
}

/**
 * The service that a process belongs to, by `/proc/PID/cgroup`; `undefined` when it is in none.
 *
 * A user's manager is itself a service of the machine's, and its services lie within.
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

/** The kernel's word for a program whose file has another in its place now. */
const DELETED = " (deleted)";

/**
 * Whether a process runs the program of a file: a compiled one, or a script that is among the
 * process's words. Where there is no `/proc` nobody can tell, and it is taken for one.
 *
 * The number comes from a file that the agent writes, and is not believed blindly: a signal to a
 * process of somebody else's would be the harm.
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

/** Whether a process reads from a terminal: a user has started it, and no service. */
export function isAttachedToTerminal(pid: number): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    return /^\/dev\/(?:pts\/|tty|console)/.test(Deno.readLinkSync(`/proc/${pid}/fd/0`));
  } catch {
    return false;
  }
}

/** Whether systemd has started a process, or has taken it on when whoever did had ended. */
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
 * The service of systemd's that a process has come from without another between; `undefined` when
 * it has come from none. Only systemd knows whether it still is the main one of it.
 */
export function unitOfProcess(pid: number): SystemdUnit | undefined {
  if (!isChildOfSystemd(pid)) return undefined;
  try {
    return systemdUnitOf(Deno.readTextFileSync(`/proc/${pid}/cgroup`));
  } catch {
    return undefined;
  }
}

/**
 * Whether this process ends when systemd restarts the service that a process is the main one of:
 * whatever was started from within a service belongs to it.
 */
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
