/**
 * What keeps a user from a file, as `doctor` sees it in the rights of the file and of its folders.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { dirname } from "../parse/path.ts";
import { accountNames, groupsOf } from "../parse/passwd.ts";

/** A user by its numbers. */
export interface Identity {
  readonly uid: number;
  /** Its groups, the one of its new files first. */
  readonly gids: readonly number[];
}

/** A part of a path that a user may not use. */
export interface Barrier {
  readonly path: string;
  /** The command, for root, that lets the user's group use it. */
  readonly repair: string;
}

/** The numbers of a user of this machine, by its files; `undefined` for one that they don't have. */
export function identityOf(user: string): Identity | undefined {
  const passwd = attempt(() => Deno.readTextFileSync("/etc/passwd")) ?? "";
  const groups = attempt(() => Deno.readTextFileSync("/etc/group")) ?? "";
  return groupsOf(user, { passwd, groups });
}

/**
 * The first part of a path that keeps a user from reading the file, or from running it; `undefined`
 * where the rights allow it, or are not to be seen. A service has no right to pass over them, also as
 * root.
 */
export function barrierTo(
  path: string,
  { uid, gids }: Identity,
  use: "read" | "run" = "read",
): Barrier | undefined {
  for (const part of [...ancestry(dirname(path)).reverse(), path]) {
    const info = attempt(() => Deno.statSync(part));
    if (info?.mode === undefined || info.mode === null) return undefined;
    const needed = part !== path ? 1 : use === "read" ? 4 : 5;
    const isOwner = info.uid === uid;
    const isInGroup = gids.includes(info.gid ?? -1);
    const shift = isOwner ? 6 : isInGroup ? 3 : 0;
    if ((info.mode >> shift & needed) === needed) continue;
    const letters = needed === 1 ? "x" : needed === 4 ? "r" : "rx";
    const [gid = uid] = gids;
    const group = accountNames(attempt(() => Deno.readTextFileSync("/etc/group")) ?? "").get(gid);
    const repair = isOwner
      ? `chmod u+${letters} ${part}`
      : isInGroup
      ? `chmod g+${letters} ${part}`
      : needed === 1
      ? `chmod o+x ${part}`
      : `chgrp ${group ?? gid} ${part} && chmod g+${letters} ${part}`;
    return { path: part, repair };
  }
  return undefined;
}

/** A path, and the folders that lead to it. */
export function ancestry(path: string): string[] {
  return path === "" || path === "/" ? ["/"] : [path, ...ancestry(dirname(path))];
}
