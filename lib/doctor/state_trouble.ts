/**
 * What any user sees of a folder in which an agent can't keep its state, without writing there.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { settlesWithin } from "../async/timeout.ts";
import { accountNames } from "../parse/passwd.ts";
import { wasRoot } from "../sandbox/seal.ts";
import type { Health } from "../state/health_reader.ts";
import { processIds } from "./agent_problems.ts";
import { barrierTo, isMissing, mountWith } from "./rights.ts";

/** A folder on another machine may not answer. */
const ANSWER_MS = 1_000;

/** What of the disk of a folder is used up; `undefined` where there is room, or it is not seen. */
async function usedUp(folder: string): Promise<"space" | "inodes" | undefined> {
  try {
    const { promises } = await import("node:fs");
    return usedUpOf(await promises.statfs(folder));
  } catch {
    return undefined;
  }
}

/** What is used up of a file system. One without a size, such as the kernel's own, has no blocks at all. */
export function usedUpOf(
  { bavail, blocks, ffree, files }: Record<"bavail" | "blocks" | "ffree" | "files", number>,
): "space" | "inodes" | undefined {
  return blocks > 0 && bavail === 0 ? "space" : files > 0 && ffree === 0 ? "inodes" : undefined;
}

/** Why a running agent can't keep its state from its next start on; `undefined` where nothing is seen. */
export async function stateTrouble(
  { stateFolder: folder, pid, seal }: Pick<Health, "stateFolder" | "pid" | "seal">,
): Promise<string | undefined> {
  if (folder === undefined) return undefined;
  const asked = usedUp(folder);
  const used = await settlesWithin(asked, ANSWER_MS) ? await asked : undefined;
  if (used === "space") return `the disk of ${folder} is full`;
  if (used === "inodes") return `all inodes of the disk of ${folder} are used`;
  if (isMissing(folder)) return `${folder} is not there`;
  // What its unit mounts for the agent alone was there at its start, and told by itself.
  const mountinfo = attempt(() => Deno.readTextFileSync("/proc/self/mountinfo")) ?? "";
  if (mountWith("ro", folder, mountinfo) !== undefined) return `${folder} is read-only`;
  // At its start it is root again.
  const identity = wasRoot(seal) ? undefined : processIds(pid);
  const barrier = identity && barrierTo(folder, identity, "write");
  if (identity === undefined || barrier === undefined) return undefined;
  const names = accountNames(attempt(() => Deno.readTextFileSync("/etc/passwd")) ?? "");
  return `user ${names.get(identity.uid) ?? identity.uid} may not use ${barrier.path}`;
}
