import { attempt } from "../attempt.ts";
import type { Identity } from "./rights.ts";

/** Resident memory of a process, in bytes. */
export function memoryOf(pid: number): number | undefined {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(processStatus(pid)) ?? [];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

/** Whether a signal has stopped a process, until another one lets it go on. */
export function isPaused(pid: number): boolean {
  return /^State:\s+T/m.test(processStatus(pid));
}

/** The user and the groups that a process is, for files; `undefined` where that is not seen. */
export function processIds(pid: number): Identity | undefined {
  const numbers = (name: string) =>
    (new RegExp(`^${name}:(.*)$`, "m").exec(processStatus(pid))?.[1] ?? "").match(/\d+/g)
      ?.map(Number) ?? [];
  // Real, effective, saved, and for files.
  const [, , , uid] = numbers("Uid");
  const [, , , gid] = numbers("Gid");
  return uid === undefined || gid === undefined
    ? undefined
    : { uid, gids: [gid, ...numbers("Groups")] };
}

function processStatus(pid: number): string {
  return attempt(() => Deno.readTextFileSync(`/proc/${pid}/status`)) ?? "";
}
