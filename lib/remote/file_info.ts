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
  const uid = shown.uid ?? 0;
  const gid = shown.gid ?? 0;
  return {
    name: path.slice(path.lastIndexOf("/") + 1) || "/",
    path,
    is_dir: shown.isDirectory,
    is_symlink: own.isSymlink,
    size: shown.size,
    mode: modeText(shown),
    mode_octal: ((shown.mode ?? 0) & 0o7777).toString(8).padStart(4, "0"),
    uid,
    gid,
    owner: owners.users.get(uid) ?? String(uid),
    group: owners.groups.get(gid) ?? String(gid),
    modified_at: (shown.mtime ?? new Date(0)).toISOString(),
    target,
  };
}

/** Type and permissions of a file as `ls -l` shows them. */
function modeText(info: Deno.FileInfo): string {
  const mode = info.mode ?? 0;
  const bits = [0o400, 0o200, 0o100, 0o40, 0o20, 0o10, 0o4, 0o2, 0o1];
  const letters = bits.map((bit, at) => (mode & bit) === 0 ? "-" : "rwx".charAt(at % 3));
  for (const [bit, at, letter] of [[0o4000, 2, "s"], [0o2000, 5, "s"], [0o1000, 8, "t"]] as const) {
    if ((mode & bit) !== 0) letters[at] = letters[at] === "x" ? letter : letter.toUpperCase();
  }
  return typeLetter(info) + letters.join("");
}

function typeLetter(info: Deno.FileInfo): string {
  if (info.isDirectory) return "d";
  if (info.isSymlink) return "l";
  if (info.isFifo) return "p";
  if (info.isSocket) return "s";
  if (info.isBlockDevice) return "b";
  return info.isCharDevice ? "c" : "-";
}

async function readAccountFile(path: string): Promise<string> {
  try {
    const { isFile, size } = await Deno.stat(path);
    return isFile && size <= MAX_ACCOUNT_FILE_BYTES ? await Deno.readTextFile(path) : "";
  } catch {
    return "";
  }
}
