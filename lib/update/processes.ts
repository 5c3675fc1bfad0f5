import { attempt } from "../attempt.ts";
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
export function runsProgram(pid: number, path: string): boolean {
  if (Deno.build.os !== "linux") return true;
  const program = attempt(() => Deno.readLinkSync(`/proc/${pid}/exe`));
  if (program === path || program === path + DELETED) return true;
  const cwd = attempt(() => Deno.readLinkSync(`/proc/${pid}/cwd`));
  if (program === undefined || cwd === undefined) return false;
  const words = readProcFile(pid, "cmdline").split("\0");
  return words.filter((it) => it.includes("/") && !it.startsWith("-")).some((word) => {
    const full = word.startsWith("/") ? word : `${cwd}/${word}`;
    return attempt(() => Deno.realPathSync(full)) === path;
  });
}

/** A file of a process below `/proc`; empty if it can't be read. */
function readProcFile(pid: number | "self", name: string): string {
  return attempt(() => Deno.readTextFileSync(`/proc/${pid}/${name}`)) ?? "";
}

/** Whether a process reads from a terminal, so a user started it, not a service. */
export function isAttachedToTerminal(pid: number): boolean {
  const input = attempt(() => Deno.readLinkSync(`/proc/${pid}/fd/0`)) ?? "";
  return /^\/dev\/(?:pts\/|tty|console)/.test(input);
}

/** Whether systemd started a process, or adopted it as an orphan. */
export function isChildOfSystemd(pid: number): boolean {
  const parent = attempt(() => parseProcessStat(readProcFile(pid, "stat")).parentPid);
  return parent !== undefined && readProcFile(parent, "comm").trim() === "systemd";
}

/**
 * The systemd service that started a process directly; `undefined` when there is none. Only systemd
 * knows whether it is the main process.
 */
export function unitOfProcess(pid: number): SystemdUnit | undefined {
  return isChildOfSystemd(pid) ? systemdUnitOf(readProcFile(pid, "cgroup")) : undefined;
}

/** Whether this process ends when systemd restarts the service of another one. */
export function sharesServiceWith(pid: number): boolean {
  if (unitOfProcess(pid) === undefined) return false;
  return readProcFile("self", "cgroup") === readProcFile(pid, "cgroup");
}
