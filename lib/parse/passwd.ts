/** A user account of this machine. */
export interface Account {
  name: string;
  /** Home folder; may be empty. */
  home: string;
  /** Login shell; may be empty. */
  shell: string;
}

/**
 * Finds the account of a uid in `/etc/passwd`; `undefined` when there is none.
 *
 * The first of several counts, as in the C library. Other lines (comments, NIS includes, malformed
 * ones) are skipped.
 */
export function findAccount(passwd: string, uid: number): Account | undefined {
  for (const line of passwd.split("\n")) {
    const [name, , id, , , home, shell, ...more] = line.split(":");
    if (!name || id !== String(uid) || shell === undefined || more.length > 0) continue;
    return { name, home: home ?? "", shell: shell.trim() };
  }
  return undefined;
}

/**
 * Reads the names by number from the text of `/etc/passwd` or `/etc/group`, whose lines both begin
 * with `name:password:number:`. The first of several names of a number counts, as it does for the C
 * library; lines of another shape are ignored.
 */
export function accountNames(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split("\n")) {
    const [name, , id] = line.split(":", 3);
    if (!name || id === undefined || !/^\d{1,10}$/.test(id)) continue;
    if (!names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}

/**
 * The numbers of a user and of all its groups, its own first, from the texts of `/etc/passwd` and
 * `/etc/group`; `undefined` when there is no such user.
 */
export function groupsOf(
  user: string,
  { passwd, groups }: { passwd: string; groups: string },
): { uid: number; gids: number[] } | undefined {
  const fields = passwd.split("\n").map((line) => line.split(":")).find(([name]) => name === user);
  const [, , uid = "", gid = ""] = fields ?? [];
  if (!/^\d{1,10}$/.test(uid) || !/^\d{1,10}$/.test(gid)) return undefined;
  const others = groups.split("\n").flatMap((line) => {
    const [, , number = "", members = ""] = line.split(":");
    return members.trim().split(",").includes(user) ? Number(number) : [];
  });
  return { uid: Number(uid), gids: [Number(gid), ...others] };
}
