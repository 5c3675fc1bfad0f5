/**
 * What keeps a user from a file, by the rights of the file and of its folders.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { dirname } from "../parse/path.ts";
import { groupsOf } from "../parse/passwd.ts";

/** A user by its numbers. */
export interface Identity {
  readonly uid: number;
  /** Its groups, the one of its new files first. */
  readonly gids: readonly number[];
}

/** A part of a path that a user may not use, and the command, for root, that lets it. */
export interface Barrier {
  readonly path: string;
  readonly repair: string;
}

/** What a use needs: to read a file, to run it, to make files in a folder. */
const RIGHTS = { read: 4, run: 5, write: 7 } as const;

/** The numbers of a user of this machine, by its files; `undefined` for one that they don't have. */
export function identityOf(user: string): Identity | undefined {
  const [passwd = "", groups = ""] = ["/etc/passwd", "/etc/group"].map((file) =>
    attempt(() => Deno.readTextFileSync(file))
  );
  return groupsOf(user, { passwd, groups });
}

/**
 * The first part of a path that keeps a user from reading the file, or from making files in a folder;
 * `undefined` where the rights allow it, or are not to be seen. A service has no right to pass over
 * them, also as root.
 */
export function barrierTo(
  path: string,
  { uid, gids }: Identity,
  use: keyof typeof RIGHTS = "read",
): Barrier | undefined {
  // Where it is a link, the folders that lead to what it names count, too.
  const real = attempt(() => Deno.realPathSync(path)) ?? path;
  const folders = [path, real].flatMap((it) => ancestry(dirname(it)).reverse());
  for (const part of [...new Set(folders), path]) {
    const info = attempt(() => Deno.statSync(part));
    if (info?.mode === undefined || info.mode === null) return undefined;
    const needed = part !== path ? 1 : RIGHTS[use];
    const isInGroup = gids.includes(info.gid ?? -1);
    const [who, shift] = info.uid === uid
      ? ["u", 6] as const
      : isInGroup
      ? ["g", 3] as const
      : ["o", 0] as const;
    if ((info.mode >> shift & needed) === needed) continue;
    const letters = ["r", "w", "x"].filter((_, at) => (needed & 4 >> at) !== 0).join("");
    const repair = who === "o" && needed !== 1 && use !== "run"
      ? `chgrp ${gids[0] ?? uid} ${part} && chmod g+${letters} ${part}`
      : `chmod ${who}+${letters} ${part}`;
    return { path: part, repair };
  }
  return undefined;
}

/** A path, and the folders that lead to it. */
export function ancestry(path: string): string[] {
  return path === "" || path === "/" ? ["/"] : [path, ...ancestry(dirname(path))];
}

/** The mount point of a path without links, by `mountinfo`, if its mount or its disk has that option. */
export function mountWith(option: string, path: string, mountinfo: string): string | undefined {
  const mounts = mountinfo.split("\n").map((line) => line.split(" "));
  // Later mounts lie above earlier ones.
  const mount = ancestry(path).map((folder) => mounts.findLast(([, , , , at]) => at === folder))
    .find((it) => it !== undefined);
  const [, , , , point, options = ""] = mount ?? [];
  const isSet = [options, mount?.at(-1) ?? ""].some((it) => it.split(",").includes(option));
  return isSet ? point : undefined;
}

/** Whether there is nothing of that path. */
export function isMissing(path: string): boolean {
  try {
    Deno.statSync(path);
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}
