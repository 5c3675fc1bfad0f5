import { attempt } from "../attempt.ts";

/** The user `nobody`, and the group of the same number, which other programs may have, too. */
export const NOBODY = 65534;

/** Ids of systemd's dynamic users, which no other program gives away. */
const FIRST = 61184;
const LAST = 65519;

/** Where systemd keeps the ids in use, each a name, and where accounts are, an id in the third column. */
const DYNAMIC_USERS = "/run/systemd/dynamic-uid";
const ACCOUNTS = ["/etc/passwd", "/etc/group"];

/**
 * The id of a user and group that nobody has, for a process of root's that gives up root: no process, no
 * account and no service of systemd's. Others of its user may trace a process, so it shall have none.
 * {@linkcode NOBODY} where the container has no such id.
 */
export function findFreeUser({ proc = "/proc", random = Math.random } = {}): number {
  const read = (path: string) => attempt(() => Deno.readTextFileSync(path)) ?? "";
  const names = (path: string) =>
    attempt(() => Array.from(Deno.readDirSync(path), ({ name }) => name)) ?? [];
  const mapped = ["uid_map", "gid_map"].map((name) => parseIdMap(read(`${proc}/self/${name}`)));
  const taken = new Set([
    ...names(DYNAMIC_USERS).map(Number),
    ...ACCOUNTS.flatMap((path) => read(path).split("\n").map((line) => Number(line.split(":")[2]))),
    ...names(proc).filter((name) => /^\d+$/.test(name)).map((pid) =>
      attempt(() => Deno.statSync(`${proc}/${pid}`).uid)
    ),
  ]);
  const count = LAST - FIRST + 1;
  const start = Math.floor(random() * count);
  for (let step = 0; step < count; step++) {
    const id = FIRST + (start + step) % count;
    if (!taken.has(id) && mapped.every((isMapped) => isMapped(id))) return id;
  }
  return NOBODY;
}

/** Whether an id is in the text of `uid_map` or `gid_map`: a range a line, its first id and count. */
function parseIdMap(text: string): (id: number) => boolean {
  const ranges = text.trim().split("\n").map((line) => line.trim().split(/\s+/).map(Number));
  return (id) => ranges.some(([first = 0, , count = 0]) => id >= first && id < first + count);
}
