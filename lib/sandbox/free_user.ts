import { attempt } from "../attempt.ts";
import { NO_STUB, NO_STUB_VALUE, openLibrary } from "../host/ffi.ts";

/** The user `nobody`, and the group of the same number, which other programs may have, too. */
export const NOBODY = 65534;

/** Ids of systemd's dynamic users, which no other program gives away. */
const FIRST = 61184;
const LAST = 65519;

const SYMBOLS = {
  syscall: { parameters: ["i64", "i32", "u32", NO_STUB], result: "i64" },
} as const;
const GETPRIORITY = { x86_64: 140n, aarch64: 141n } as const;
const PRIO_USER = 2;

/** Where systemd keeps the ids in use, each a name, and where accounts are, an id in the third column. */
const DYNAMIC_USERS = "/run/systemd/dynamic-uid";
const ACCOUNTS = ["passwd", "group"];
/** Where the ids are that a user may take in a namespace of his own: a range a line, behind his name. */
const LENT = ["subuid", "subgid"];

/**
 * The id of a user and group that nobody has, for a process of root's that gives up root: no process, no
 * account, no service of systemd's and no other user's namespace. Others of its user may trace a process, so
 * it shall have none.
 * {@linkcode NOBODY} where the container has no such id.
 */
export function findFreeUser(
  { proc = "/proc", etc = "/etc", random = Math.random, hasProcess = hasProcesses } = {},
): number {
  const read = (path: string) => attempt(() => Deno.readTextFileSync(path)) ?? "";
  const names = (path: string) =>
    attempt(() => Array.from(Deno.readDirSync(path), ({ name }) => name)) ?? [];
  const mapped = ["uid_map", "gid_map"].map((name) => parseRanges(read(`${proc}/self/${name}`), 0));
  const lent = LENT.map((name) => parseRanges(read(`${etc}/${name}`), 1));
  const taken = new Set([
    ...names(DYNAMIC_USERS).map(Number),
    ...ACCOUNTS.flatMap((name) =>
      read(`${etc}/${name}`).split("\n").map((line) => Number(line.split(":")[2]))
    ),
  ]);
  const count = LAST - FIRST + 1;
  const start = Math.floor(random() * count);
  let lentId: number | undefined;
  for (let step = 0; step < count; step++) {
    const id = FIRST + (start + step) % count;
    const isLent = lent.some((has) => has(id));
    const isTaken = taken.has(id) || !mapped.every((isMapped) => isMapped(id));
    if (isTaken || (isLent && lentId !== undefined) || hasProcess(id)) continue;
    if (!isLent) return id;
    lentId = id;
  }
  // Where all are lent, one user may become it; nobody's processes are everybody's.
  return lentId ?? NOBODY;
}

/**
 * Whether a user has a process, or may have, where the C library can't be opened. It asks the kernel for their
 * priority, a system call on a host of any size, where a look at each process takes 4 ms of the start for
 * 150 of them. Unlike the C library's function, the system call answers -1 for none alone.
 */
function hasProcesses(user: number): boolean {
  const libc = attempt(() => openLibrary(SYMBOLS));
  if (libc === undefined) return true;
  using _ = libc;
  return libc.symbols.syscall(GETPRIORITY[Deno.build.arch], PRIO_USER, user, NO_STUB_VALUE) > 0n;
}

/**
 * Whether an id is in a text's ranges, one a line: of `uid_map` and `gid_map`, whose first id is in column 0,
 * or of `subuid` and `subgid`, with colons and column 1. The count is in column 2.
 */
function parseRanges(text: string, column: number): (id: number) => boolean {
  const ranges = text.split("\n").map((line) => line.trim().split(/[\s:]+/).map(Number));
  return (id) =>
    ranges.some(({ [column]: first = 0, 2: count = 0 }) => id >= first && id < first + count);
}
