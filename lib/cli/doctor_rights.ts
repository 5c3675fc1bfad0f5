/**
 * What keeps a user from a file, as `doctor` sees it in the rights of the file and of its folders.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { dirname } from "../parse/path.ts";
import { accountNames, groupsOf } from "../parse/passwd.ts";

/** Folders that are closed to others on purpose. */
export const HOMES = /^\/(?:root|home)(?:\/|$)/;

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

/** What a use of a file needs, or of a folder: to read it, to run it or look into it, to make files in it. */
const RIGHTS = { read: 4, run: 5, write: 7 } as const;

/**
 * The first part of a path that keeps a user from reading the file, or from running it; `undefined`
 * where the rights allow it, or are not to be seen. A service has no right to pass over them, also as
 * root.
 */
export function barrierTo(
  path: string,
  { uid, gids }: Identity,
  use: keyof typeof RIGHTS = "read",
): Barrier | undefined {
  // Where it is a link, the folders that lead to what it names count, too.
  const real = realPath(path);
  const folders = [path, real].flatMap((it) => ancestry(dirname(it)).reverse());
  for (const part of [...new Set(folders), path]) {
    const info = attempt(() => Deno.statSync(part));
    if (info?.mode === undefined || info.mode === null) return undefined;
    const needed = part !== path ? 1 : RIGHTS[use];
    const isOwner = info.uid === uid;
    const isInGroup = gids.includes(info.gid ?? -1);
    const shift = isOwner ? 6 : isInGroup ? 3 : 0;
    if ((info.mode >> shift & needed) === needed) continue;
    const letters = ["r", "w", "x"].filter((_, at) => (needed & 4 >> at) !== 0).join("");
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

/** How to see whether the kernel's further rules refuse what rights allow; `undefined` where none are in force. */
export function refusalCheck(): string | undefined {
  const read = (path: string) => attempt(() => Deno.readTextFileSync(path).trim());
  return read("/sys/fs/selinux/enforce") === "1"
    ? "see whether SELinux refuses it: ausearch -m avc -ts recent || journalctl -k | grep -i avc"
    : read("/sys/module/apparmor/parameters/enabled") === "Y"
    ? "see whether AppArmor refuses it: journalctl -k | grep -i apparmor"
    : undefined;
}

/** The path without links; the same where that is not to be seen. */
export function realPath(path: string): string {
  return attempt(() => Deno.realPathSync(path)) ?? path;
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
  if (mount === undefined) return undefined;
  const [, , , , point, options = ""] = mount;
  return [options, mount.at(-1) ?? ""].some((it) => it.split(",").includes(option))
    ? point
    : undefined;
}
