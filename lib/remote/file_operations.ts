import { accountNames } from "../parse/passwd.ts";
import type { FileArguments, FileContext } from "./file_arguments.ts";
import type { FolderReader } from "./folder_reader.ts";
import { isSameFile } from "./open_file.ts";
import { eachOf } from "./task_queue.ts";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { posix } = await import("node:path");

/** A list is refused when its answer would be longer. */
const MAX_LIST_BYTES = 8 * 1024 * 1024;

/** Bytes of an entry in the answer, beside its name and path. */
const ENTRY_BYTES = 200;

/** Lists with more entries take megabytes. */
const LONG_LIST = 1_000;

/** Looks that leave a MiB of garbage, roughly. */
const LOOKS_PER_MIB = 2_000;

/** Files of a list that are looked at at a time. */
const PARALLEL_LOOKS = 16;

/** Largest user and group number; the one above means "unchanged" to the kernel. */
const MAX_ID = 2 ** 32 - 2;

/**
 * Lists a folder: folders first, then by name regardless of case. What disappears meanwhile is left
 * out.
 *
 * @throws {Error} When it is no folder, can't be read, or the list would have more than 8 MiB, roughly.
 */
export async function listFolder(args: FileArguments, context: FileContext): Promise<FileInfo[]> {
  const { signal, folders, garbage } = context;
  const path = args.path("path");
  const names: string[] = [];
  let [count, bytes] = [0, 0];
  await folders.read(path, (entries) => {
    for (const { name } of entries) {
      count++;
      bytes += ENTRY_BYTES + path.length + 2 * name.length;
      // Beyond that they are only counted.
      if (bytes <= MAX_LIST_BYTES) names.push(name);
    }
  });
  if (names.length < count) {
    throw new RangeError(
      `the folder has ${count} entries, too many for a list: use a terminal`,
    );
  }
  if (count > LONG_LIST) context.untilSent.use(await context.longLists.take());
  const owners = await readOwnerNames();
  const infos: FileInfo[] = [];
  await eachOf(names, PARALLEL_LOOKS, async (name) => {
    signal.throwIfAborted();
    const child = `${path === "/" ? "" : path}/${name}`;
    const info = await describeFile(child, folders, owners).catch(() => undefined);
    if (info === undefined) return;
    infos.push(info);
    if (infos.length % LOOKS_PER_MIB === 0) garbage.add(1024 * 1024);
  });
  const keyed = infos.map((it) => [`${it.is_dir ? 0 : 1}${it.name.toLowerCase()}`, it] as const);
  return keyed.sort(([a], [b]) => a < b ? -1 : Number(a > b)).map(([, info]) => info);
}

/** Lists where paths begin: `/` alone. */
export async function listRoots(_args: FileArguments, context: FileContext): Promise<FileInfo[]> {
  return [await statPath("/", context)];
}

/** Describes one file. @throws {Error} When there is none. */
export async function statFile(args: FileArguments, context: FileContext): Promise<FileInfo> {
  return await statPath(args.path("path"), context);
}

async function statPath(path: string, { folders }: FileContext): Promise<FileInfo> {
  return await describeFile(path, folders, await readOwnerNames());
}

/**
 * Creates an empty file and the folders above it that are missing: the upload of an empty file is
 * nothing else. One that exists is emptied and keeps its permissions; links are followed.
 *
 * @throws {Error} When there is something else than a file at its place.
 */
export async function createFile(args: FileArguments): Promise<object> {
  const path = args.pathBelowRoot("path");
  const before = await Deno.stat(path).catch(() => undefined);
  if (before?.isDirectory) throw new TypeError("cannot replace a directory with a file");
  if (before?.isFile === false) throw new TypeError("not a regular file");
  await Deno.mkdir(posix.dirname(path), { recursive: true });
  (await Deno.open(path, { write: true, create: true, truncate: true })).close();
  if (before === undefined) await Deno.chmod(path, 0o644);
  return { created: true, size: 0 };
}

/** Makes a folder and those above it that are missing. One that exists already is no error. */
export async function makeFolder(args: FileArguments): Promise<object> {
  const path = args.path("path");
  const mode = args.mode("mode");
  const existed = await Deno.stat(path).then(() => true, () => false);
  await Deno.mkdir(path, { recursive: true });
  // The process's own mask must not take bits away that were asked for.
  if (mode !== undefined && !existed) await Deno.chmod(path, mode);
  return { created: true };
}

/**
 * Deletes a file, a link or a folder with all in it. Links are never followed.
 *
 * @throws {Error} When there is nothing, it is the root folder, or not all of it can be deleted.
 */
export async function deleteFile(args: FileArguments): Promise<object> {
  const path = args.pathBelowRoot("path");
  // What can't be undone is checked by the folder itself too, rather than by its path alone.
  if (isSameFile(await Deno.lstat(path), await Deno.lstat("/"))) {
    throw new TypeError("operation not permitted: the path is the root folder");
  }
  await Deno.remove(path, { recursive: true });
  return { deleted: true };
}

/** Sets the permission bits of a file. @throws {Error} When `mode` is missing or not octal. */
export async function changeMode(args: FileArguments): Promise<object> {
  const path = args.path("path");
  const mode = args.mode("mode");
  if (mode === undefined) throw new TypeError("invalid argument: mode is required");
  await Deno.chmod(path, mode);
  return { mode: mode.toString(8).padStart(4, "0") };
}

/** Sets owner and group of a file, each by number or by name; -1 is "unchanged". */
export async function changeOwner(args: FileArguments): Promise<object> {
  const path = args.path("path");
  const { users, groups } = await readOwnerNames();
  const uid = accountId(args, ["uid", "owner"], users);
  const gid = accountId(args, ["gid", "group"], groups);
  if (uid === -1 && gid === -1) throw new TypeError("invalid argument: no owner and no group");
  await Deno.chown(path, uid === -1 ? null : uid, gid === -1 ? null : gid);
  return { uid, gid };
}

function accountId(
  args: FileArguments,
  [number, text]: [string, string],
  names: ReadonlyMap<number, string>,
): number {
  const name = args.text(text).trim();
  if (name === "") return args.has(number) ? args.integer(number, -1, MAX_ID) : -1;
  for (const [id, known] of names) if (known === name) return id;
  if (/^\d{1,10}$/.test(name) && Number(name) <= MAX_ID) return Number(name);
  throw new TypeError(`invalid argument: ${text} is unknown on this machine`);
}

/** One file as the panel shows it. The names are those of the wire. */
export type FileInfo = Awaited<ReturnType<typeof describeFile>>;

/** Names of accounts and groups by their numbers. */
type OwnerNames = Awaited<ReturnType<typeof readOwnerNames>>;

/** Reads `/etc/passwd` and `/etc/group`; a file that is missing or unreadable has no names. */
async function readOwnerNames() {
  const [users = "", groups = ""] = await Promise.all(
    ["/etc/passwd", "/etc/group"].map((path) => Deno.readTextFile(path).catch(() => "")),
  );
  return { users: accountNames(users), groups: accountNames(groups) };
}

/**
 * Describes what is at a path. A link is marked as such and has size, mode, owner and time of what
 * it leads to; one that leads nowhere has its own. Characters that are not UTF-8 are replaced.
 *
 * @throws {Error} When there is nothing at the path or it can't be looked at.
 */
async function describeFile(path: string, folders: FolderReader, owners: OwnerNames) {
  const own = path.isWellFormed() ? await Deno.lstat(path) : await folders.look(path);
  const target = own.isSymlink ? await Deno.readLink(path).catch(() => undefined) : undefined;
  const shown = own.isSymlink ? await Deno.stat(path).catch(() => own) : own;
  const uid = shown.uid ?? 0;
  const gid = shown.gid ?? 0;
  const mode = shown.mode ?? 0;
  const text = path.toWellFormed();
  return {
    name: posix.basename(text) || "/",
    path: text,
    // A link that leads to a folder is one too.
    is_dir: typeLetter(mode) === "d",
    is_symlink: own.isSymlink,
    size: shown.size,
    // As `ls -l` shows it, and in four octal digits or more: `drwxr-xr-x`, `0755`.
    mode: modeText(mode),
    mode_octal: (mode & 0o7777).toString(8).padStart(4, "0"),
    ...{ uid, gid },
    // The number of an account that has no name.
    owner: owners.users.get(uid) ?? String(uid),
    group: owners.groups.get(gid) ?? String(gid),
    modified_at: (shown.mtime ?? new Date(0)).toISOString(),
    // As it is stored in the link.
    target,
  };
}

/** Type and permissions of a file as `ls -l` shows them. */
function modeText(mode: number): string {
  const letters = Array.from("rwxrwxrwx", (letter, at) => mode & (0o400 >> at) ? letter : "-");
  for (const [bit, at, letter] of [[0o4000, 2, "s"], [0o2000, 5, "s"], [0o1000, 8, "t"]] as const) {
    if ((mode & bit) !== 0) letters[at] = letters[at] === "x" ? letter : letter.toUpperCase();
  }
  return typeLetter(mode) + letters.join("");
}

/** `ls -l`'s letter for the kind of a file, from the highest bits of its mode. */
function typeLetter(mode: number): string {
  return "-pc-d-b---l-s".charAt(mode >> 12);
}
