import { errorCode } from "../attempt.ts";
import { type FileArguments, type FileContext, FileError } from "./file_arguments.ts";
import type { FolderEntry, FolderReader } from "./folder_reader.ts";
import { HeldFolder } from "./held_folder.ts";
import {
  createPrivateFile,
  FILE_BUFFER_BYTES,
  isSameFile,
  openUnlinked,
  targetOf,
  writeFully,
} from "./regular_file.ts";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { posix } = await import("node:path");

/** Deeper folders are refused: each level keeps two folders open. */
const MAX_DEPTH = 256;

/** Files of a folder that are copied at a time. */
const PARALLEL_FILES = 8;

/** State of one copy. */
interface CopyContext {
  readonly signal: AbortSignal;
  readonly folders: FolderReader;
  /** Devices, FIFOs, sockets, and names that are not UTF-8, which were left out. */
  skipped: number;
  /** The folder that is made; a mount may show it somewhere in the source. */
  copy?: HeldFolder;
}

/**
 * Moves a file, a link or a folder, to another file system too. Folders above the destination are
 * made; a file at the destination is replaced.
 *
 * @throws {Error} When it can't be moved. After a failure between two file systems the source is
 * whole, and a part of it may be at the destination.
 */
export async function moveFile(args: FileArguments, context: FileContext): Promise<object> {
  const source = args.pathBelowRoot("source");
  const destination = args.pathBelowRoot("destination");
  await Deno.lstat(source);
  await Deno.mkdir(posix.dirname(destination), { recursive: true });
  if (await isSameEntry(source, destination)) return { moved: true };
  try {
    await Deno.rename(source, destination);
  } catch (error) {
    if (errorCode(error) === "EINVAL") {
      throw new FileError(source, `a folder cannot be moved into itself, to ${destination}`);
    }
    if (errorCode(error) !== "EXDEV") throw error;
    const skipped = await copyAll(source, { destination, context });
    if (skipped > 0) {
      const what = `${skipped} devices, FIFOs, sockets or names that are not UTF-8`;
      throw new FileError(source, `${what} can't be moved; the source was kept`);
    }
    await Deno.remove(source, { recursive: true });
  }
  return { moved: true };
}

/**
 * Copies a file, a link or a folder with all in it. Links are copied as links, and one at the
 * destination is followed; devices, FIFOs, sockets and names that are not UTF-8 are left out and
 * counted. Each file appears whole at its destination, and no link that lies below it, or that is put
 * at the place of a source meanwhile, is followed.
 *
 * @throws {Error} When it can't be copied; what was copied before stays.
 */
export async function copyFile(args: FileArguments, context: FileContext): Promise<object> {
  const source = args.pathBelowRoot("source");
  const named = args.pathBelowRoot("destination");
  const { isSymlink } = await Deno.lstat(source);
  await Deno.mkdir(posix.dirname(named), { recursive: true });
  // A link to a file must not take the place of that file.
  const destination = isSymlink ? named : await targetOf(named);
  if (await isSameEntry(source, destination)) {
    throw new FileError(source, "source and destination are the same");
  }
  const skipped = await copyAll(source, { destination, context });
  return skipped === 0 ? { copied: true } : { copied: true, skipped };
}

/** Whether two paths lead to one entry of one folder, by a link or a bind mount too. */
async function isSameEntry(a: string, b: string): Promise<boolean> {
  const folderOf = (path: string) => Deno.stat(posix.dirname(path));
  return posix.basename(a) === posix.basename(b) &&
    isSameFile(await folderOf(a), await folderOf(b));
}

/** Copies, and gives the number of what was left out. */
async function copyAll(
  source: string,
  { destination, context: { signal, folders } }: { destination: string; context: FileContext },
): Promise<number> {
  const info = await Deno.lstat(source);
  if (info.isDirectory) await refuseCopyIntoItself(source, destination);
  const context = { signal, folders, skipped: 0 };
  // The folders above are those that the path names; from here on no link is followed.
  const into = await HeldFolder.open(posix.dirname(destination), { followsLink: true });
  await using _ = into;
  const name = posix.basename(destination);
  await copyEntry({ source, shown: source, into, name, depth: 0 }, context);
  // Of a single one the caller has to know.
  if (context.skipped > 0 && !info.isDirectory) throw new FileError(source, "not a regular file");
  return context.skipped;
}

/** A copy of a folder into itself would not end. */
async function refuseCopyIntoItself(source: string, destination: string): Promise<void> {
  const from = await Deno.realPath(source);
  const into = await Deno.realPath(posix.dirname(destination));
  const to = posix.join(into, posix.basename(destination));
  if (from === "/" || to.startsWith(`${from}/`)) {
    throw new FileError(source, `cannot copy a folder into itself, to ${destination}`);
  }
}

/** An entry to be copied, and the name and the folder that the copy gets. */
interface Entry {
  /** By the descriptor of its folder. */
  readonly source: string;
  /** The same by the path that the order named. */
  readonly shown: string;
  readonly into: HeldFolder;
  readonly name: string;
  readonly depth: number;
}

/** Copies an entry. @throws {Error} When it can't be copied, with its path. */
async function copyEntry(entry: Entry, context: CopyContext): Promise<void> {
  const { source, shown, depth } = entry;
  context.signal.throwIfAborted();
  try {
    if (depth > MAX_DEPTH) throw new RangeError(`folders are nested more than ${MAX_DEPTH} deep`);
    const info = await Deno.lstat(source);
    if (info.isSymlink) {
      await replaceWith(entry, async (temporary) => {
        await Deno.symlink(await Deno.readLink(source), temporary);
      });
    } else if (info.isFile) {
      await replaceWith(entry, async (temporary) => {
        await copyContent(source, { temporary, info, signal: context.signal });
      });
    } else if (info.isDirectory) {
      await copyFolder(entry, { info, context });
    } else {
      context.skipped++;
    }
  } catch (error) {
    throw error instanceof FileError || context.signal.aborted
      ? error
      : new FileError(shown, error);
  }
}

async function copyFolder(
  { source, shown, into, name, depth }: Entry,
  { info, context }: { info: Deno.FileInfo; context: CopyContext },
): Promise<void> {
  await using from = await HeldFolder.open(source);
  await from.requireSame(info);
  // Else each copy would be copied again, as deep as folders may be.
  await context.copy?.requireOther(info);
  // Nobody else's until its mode is set; a link at its place is no folder, and not followed.
  const destination = into.entry(name);
  await Deno.mkdir(destination, { mode: 0o700 }).catch((error) => {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  });
  await using to = await HeldFolder.open(destination);
  // A mount may show the source here; after a move both would be deleted.
  await to.requireOther(info);
  context.copy ??= to;
  const entries = await from.entries(context.folders);
  const copy = ({ name }: FolderEntry) => {
    if (!name.isWellFormed()) return void context.skipped++;
    const entry = { source: from.entry(name), shown: `${shown}/${name}`, into: to, name };
    return copyEntry({ ...entry, depth: depth + 1 }, context);
  };
  const files = entries.filter(({ isFolder }) => !isFolder).values();
  // The others stop at a failure, before the folder is closed.
  const failures = await Promise.allSettled(Array.from({ length: PARALLEL_FILES }, async () => {
    for (const file of files) await copy(file);
  }));
  for (const failure of failures) if (failure.status === "rejected") throw failure.reason;
  for (const folder of entries) if (folder.isFolder) await copy(folder);
  // Only now: the copy may lack the right to write into itself.
  await to.becomeLike(from);
}

/** Makes something under a temporary name, and gives it its own name when it is whole. */
async function replaceWith(
  { into, name }: Entry,
  make: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = into.entry(`.komari-copy-${crypto.randomUUID()}.part`);
  try {
    await make(temporary);
    await Deno.rename(temporary, into.entry(name));
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

/** Copies what a file has at the start; what grows meanwhile is left out. */
async function copyContent(
  source: string,
  options: { temporary: string; info: Deno.FileInfo; signal: AbortSignal },
): Promise<void> {
  const { temporary, info, signal } = options;
  const input = await openUnlinked(source, info);
  await using _ = input;
  await using output = await createPrivateFile(temporary);
  // Files of the kernel say that they are empty.
  const size = info.size === 0 ? Infinity : info.size;
  const buffer = new Uint8Array(Math.min(size, FILE_BUFFER_BYTES));
  for (let position = 0; position < size;) {
    signal.throwIfAborted();
    const length = Math.min(buffer.length, size - position);
    const { bytesRead } = await input.read(buffer, 0, length, position);
    if (bytesRead === 0) break;
    await writeFully(output, buffer.subarray(0, bytesRead), position);
    position += bytesRead;
  }
  // Without the bits that give the rights of the owner: the copy may have another one.
  await output.chmod((info.mode ?? 0o600) & 0o777);
  // A file system that keeps no time is no reason to fail.
  const { atime, mtime } = info;
  if (atime !== null && mtime !== null) await output.utimes(atime, mtime).catch(() => {});
}
