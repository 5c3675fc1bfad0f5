import { attempt } from "../lib/attempt.ts";

/** Whether there is a file or a folder of this path. */
export function exists(path: string): boolean {
  return attempt(() => Deno.statSync(path)) !== undefined;
}

/** Whether a process does anything; whoever adopted it may take its time to bury it. */
export function isAlive(pid: number | undefined): boolean {
  const stat = attempt(() => Deno.readTextFileSync(`/proc/${pid}/stat`));
  return stat !== undefined && !stat.includes(") Z ");
}
