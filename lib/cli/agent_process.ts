import { attempt } from "../attempt.ts";

/** Resident memory of a process, in bytes. */
export function memoryOf(pid: number): number | undefined {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(processStatus(pid)) ?? [];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

/** Whether a signal has stopped a process, until another one lets it go on. */
export function isPaused(pid: number): boolean {
  return /^State:\s+T/m.test(processStatus(pid));
}

function processStatus(pid: number): string {
  return attempt(() => Deno.readTextFileSync(`/proc/${pid}/status`)) ?? "";
}
