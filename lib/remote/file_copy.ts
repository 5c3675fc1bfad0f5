import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { errorCode } from "../attempt.ts";
import { type FileArguments, type FileContext, FileError } from "./file_arguments.ts";
import {
  createPrivateFile,
  entryPath,
  FILE_BUFFER_BYTES,
  type FileIdentity,
  holdFolder,
  isSameFile,
  openForReading,
  targetOf,
  writeFully,
} from "./open_file.ts";
import { eachOf } from "./task_queue.ts";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { posix } = await import("node:path");
const { lutimes } = await import("node:fs/promises");

/** Deeper folders are refused: each level keeps two folders open. */
const MAX_DEPTH = 256;

/** Files of a folder that are copied at a time. */
const PARALLEL_FILES = 16;

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
      throw new TypeError("a folder cannot be moved into itself");
    }
    if (errorCode(error) !== "EXDEV") throw error;
    const skipped = await new Copy(context).copy(source, destination);
    if (skipped > 0) {
      const what = `${skipped} devices, FIFOs, sockets or names that are not UTF-8`;
      throw new TypeError(`${what} can't be moved; the source was kept`);
    }
    await Deno.remove(source, { recursive: true });
  }
  return { moved: true };
}

/**
 * Copies a file, a link or a folder with all in it. Links are copied as links, and one at the
 * destination is followed; devices, FIFOs, sockets and names that are not UTF-8 are left out and
 * counted. Each file appears whole in a folder that was there before; one that is made is private until
 * its files are whole. No link that lies below it, or that is put at the place of a source meanwhile,
 * is followed.
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
    throw new TypeError("source and destination are the same");
  }
  const skipped = await new Copy(context).copy(source, destination);
  return skipped === 0 ? { copied: true } : { copied: true, skipped };
}

/** Whether two paths lead to one entry of one folder, by a link or a bind mount too. */
async function isSameEntry(a: string, b: string): Promise<boolean> {
  const folderOf = (path: string) => Deno.stat(posix.dirname(path));
  return posix.basename(a) === posix.basename(b) &&
    isSameFile(await folderOf(a), await folderOf(b));
}

/** An entry to be copied. */
interface Entry {
  /** Where it is, and where its copy gets, by the descriptors of their folders. */
  readonly from: string;
  readonly to: string;
  /** Where it is by the path that the order named. */
  readonly shown: string;
  readonly depth: number;
  /** Whether it is a file, and its copy gets into a folder that this copy has made: private until it is whole. */
  readonly isNewFile?: boolean;
}

/** One copy of a file, a link or a folder. */
class Copy {
  /** Devices, FIFOs, sockets, and names that are not UTF-8, which were left out. */
  #skipped = 0;
  /** The folder that is made; a mount may show it somewhere in the source. */
  #made: FileIdentity | undefined;

  constructor(readonly context: FileContext) {}

  /** Copies, and gives the number of what was left out. */
  async copy(source: string, destination: string): Promise<number> {
    const info = await Deno.lstat(source);
    // The folders above are those that the path names; from here on no link is followed.
    const above = await Deno.realPath(posix.dirname(destination));
    for (let at = above; info.isDirectory; at = posix.dirname(at)) {
      requireOther(info, await Deno.stat(at));
      if (at === "/") break;
    }
    const into = await holdFolder(above);
    await using _ = into;
    const to = entryPath(into, posix.basename(destination));
    await this.#copyEntry({ from: source, to, shown: source, depth: 0 });
    // Of a single one the caller has to know.
    if (this.#skipped > 0 && !info.isDirectory) throw new TypeError("not a regular file");
    return this.#skipped;
  }

  async #copyEntry(entry: Entry): Promise<void> {
    const { from, to, shown, depth, isNewFile } = entry;
    this.context.signal.throwIfAborted();
    // It gets its own name when it is whole.
    const part = `.komari-copy-${crypto.randomUUID()}.part`;
    const temporary = isNewFile ? to : `${posix.dirname(to)}/${part}`;
    try {
      if (depth > MAX_DEPTH) throw new RangeError(`folders are nested more than ${MAX_DEPTH} deep`);
      if (isNewFile) return await this.#copyContent(from, temporary);
      const info = await Deno.lstat(from);
      if (info.isDirectory) return await this.#copyFolder(entry, info);
      if (info.isSymlink) await Deno.symlink(await Deno.readLink(from), temporary);
      else if (info.isFile) await this.#copyContent(from, temporary, info);
      else return void this.#skipped++;
      await Deno.rename(temporary, to);
    } catch (error) {
      await Deno.remove(temporary).catch(() => {});
      const isNamed = depth === 0 || error instanceof FileError;
      throw isNamed || this.context.signal.aborted ? error : new FileError(shown, error);
    }
  }

  async #copyFolder({ from, to, shown, depth }: Entry, info: Deno.FileInfo): Promise<void> {
    await using source = await holdFolder(from, info);
    // Else each copy would be copied again, as deep as folders may be.
    if (this.#made !== undefined) requireOther(info, this.#made);
    // Private until its mode is set; a link in its place is not followed.
    const isNew = await Deno.mkdir(to, { mode: 0o700 }).then(() => true, (error) => {
      if (error instanceof Deno.errors.AlreadyExists) return false;
      throw error;
    });
    await using copy = await holdFolder(to);
    const made = await copy.stat();
    // A mount may show the source here; after a move both would be deleted.
    requireOther(info, made);
    this.#made ??= made;
    const entries: Deno.DirEntry[] = [];
    await this.context.folders.read(entryPath(source, "."), (more) => void entries.push(...more));
    const copyOf = async ({ name, isFile }: Deno.DirEntry) => {
      if (!name.isWellFormed()) return void this.#skipped++;
      const paths = { from: entryPath(source, name), to: entryPath(copy, name), depth: depth + 1 };
      await this.#copyEntry({ ...paths, shown: `${shown}/${name}`, isNewFile: isNew && isFile });
    };
    await eachOf(entries.filter((it) => !it.isDirectory), PARALLEL_FILES, copyOf);
    await eachOf(entries.filter((it) => it.isDirectory), 1, copyOf);
    // Only now: the copy may lack the right to write into itself.
    await imitate(copy, info, 0o7777);
  }

  /** Copies what a file has at the start; what grows meanwhile is left out. */
  async #copyContent(from: string, to: string, seen?: Deno.FileInfo): Promise<void> {
    await using input = await openForReading(from, seen);
    const info = await input.stat();
    if (!info.isFile()) return void this.#skipped++;
    // Files of the kernel say that they are empty.
    const size = info.size || Infinity;
    const buffer = new Uint8Array(Math.min(size, FILE_BUFFER_BYTES));
    // The way to another thread and back takes longer than all else about a small file: one call
    // creates, writes and closes it.
    if (buffer.length === size && (await input.read(buffer, 0, size, 0)).bytesRead === size) {
      await Deno.writeFile(to, buffer, { createNew: true, mode: info.mode & 0o777 });
      return await lutimes(to, info.atime, info.mtime).catch(() => {});
    }
    await using output = await createPrivateFile(to);
    for (let position = 0; position < size;) {
      this.context.signal.throwIfAborted();
      const length = Math.min(buffer.length, size - position);
      const { bytesRead } = await input.read(buffer, 0, length, position);
      if (bytesRead === 0) break;
      await writeFully(output, buffer.subarray(0, bytesRead), position);
      position += bytesRead;
    }
    // Without the bits that give the rights of the owner: the copy may have another one.
    await imitate(output, info, 0o777);
  }
}

/** @throws {TypeError} When the folder to be copied is this one, by whatever path. */
function requireOther(info: FileIdentity, other: FileIdentity): void {
  if (isSameFile(info, other)) throw new TypeError("cannot copy a folder into itself");
}

/** Takes over these bits of a mode, and the times where the file system keeps them. */
async function imitate(file: FileHandle, info: Deno.FileInfo | Stats, bits: number): Promise<void> {
  const { mode, atime, mtime } = info;
  await file.chmod((mode ?? 0o600) & bits);
  if (atime !== null && mtime !== null) await file.utimes(atime, mtime).catch(() => {});
}
