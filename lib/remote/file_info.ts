import { accountNames } from "../parse/passwd.ts";

/** One file as the panel shows it. The names are those of the wire. */
export interface FileInfo {
  readonly name: string;
  readonly path: string;
  /** Whether it is a folder, or a link that leads to one. */
  readonly is_dir: boolean;
  readonly is_symlink: boolean;
  /** Bytes; of what a link leads to, when it leads anywhere. */
  readonly size: number;
  /** As `ls -l` shows it: `drwxr-xr-x`. */
  readonly mode: string;
  /** Four octal digits or more: `0755`. */
  readonly mode_octal: string;
  readonly uid: number;
  readonly gid: number;
  /** Name of the owner; its number when it has no name. */
  readonly owner: string;
  /** Name of the group; its number when it has no name. */
  readonly group: string;
  /** RFC 3339, in UTC. */
  readonly modified_at: string;
  /** Where a link leads, as it is stored in the link. */
  readonly target?: string | undefined;
}

/** Names of accounts and groups by their numbers. */
export interface OwnerNames {
  readonly users: ReadonlyMap<number, string>;
  readonly groups: ReadonlyMap<number, string>;
}

/** Longest account file that is read. */
const MAX_ACCOUNT_FILE_BYTES = 4 * 1024 * 1024;

/**
 * Reads the names of the accounts and groups of this machine, from `/etc/passwd` and `/etc/group`.
 * A file that is missing, unreadable or too long has none.
 */
export async function readOwnerNames(): Promise<OwnerNames> {
  const [users, groups] = await Promise.all(["/etc/passwd", "/etc/group"].map(readAccountFile));
  return { users: accountNames(users ?? ""), groups: accountNames(groups ?? "") };
}

/**
 * Describes what is at a path. A link is marked as such and has size, mode, owner and time of what
 * it leads to; one that leads nowhere has its own.
 *
 * @throws {Error} When there is nothing at the path or it can't be looked at.
 */
export async function describeFile(path: string, owners: OwnerNames): Promise<FileInfo> {
  const own = await Deno.lstat(path);
  const target = own.isSymlink ? await Deno.readLink(path).catch(() => undefined) : undefined;
  const shown = own.isSymlink ? await Deno.stat(path).catch(() => own) : own;
  return toFileInfo(path, { owners, shown, isLink: own.isSymlink, target });
}

/** What is shown of a file, in the fields of `stat`. */
interface Shown {
  readonly mode: number | null;
  readonly uid: number | null;
  readonly gid: number | null;
  readonly size: number;
  readonly mtime: Date | null;
}

/** The wire's form; characters of the path that are not UTF-8 are replaced. */
export function toFileInfo(
  path: string,
  { owners, shown, isLink, target }: {
    owners: OwnerNames;
    shown: Shown;
    isLink: boolean;
    target?: string | undefined;
  },
): FileInfo {
  const uid = shown.uid ?? 0;
  const gid = shown.gid ?? 0;
  const mode = shown.mode ?? 0;
  const text = path.toWellFormed();
  return {
    name: text.slice(text.lastIndexOf("/") + 1) || "/",
    path: text,
    is_dir: TYPE_LETTERS.get(mode & S_IFMT) === "d",
    is_symlink: isLink,
    size: shown.size,
    mode: modeText(mode),
    mode_octal: (mode & 0o7777).toString(8).padStart(4, "0"),
    uid,
    gid,
    owner: owners.users.get(uid) ?? String(uid),
    group: owners.groups.get(gid) ?? String(gid),
    modified_at: (shown.mtime ?? new Date(0)).toISOString(),
    target,
  };
}

/** Type and permissions of a file as `ls -l` shows them. */
function modeText(mode: number): string {
  const bits = [0o400, 0o200, 0o100, 0o40, 0o20, 0o10, 0o4, 0o2, 0o1];
  const letters = bits.map((bit, at) => (mode & bit) === 0 ? "-" : "rwx".charAt(at % 3));
  for (const [bit, at, letter] of [[0o4000, 2, "s"], [0o2000, 5, "s"], [0o1000, 8, "t"]] as const) {
    if ((mode & bit) !== 0) letters[at] = letters[at] === "x" ? letter : letter.toUpperCase();
  }
  return (TYPE_LETTERS.get(mode & S_IFMT) ?? "-") + letters.join("");
}

/** The bits of a mode that say what kind of file it is, and `ls -l`'s letters for them. */
const S_IFMT = 0o170000;
const TYPE_LETTERS: ReadonlyMap<number, string> = new Map([
  [0o040000, "d"],
  [0o120000, "l"],
  [0o010000, "p"],
  [0o140000, "s"],
  [0o060000, "b"],
  [0o020000, "c"],
]);

async function readAccountFile(path: string): Promise<string> {
  try {
    const { isFile, size } = await Deno.stat(path);
    return isFile && size <= MAX_ACCOUNT_FILE_BYTES ? await Deno.readTextFile(path) : "";
  } catch {
    return "";
  }
}
