import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { FileError } from "./file_arguments.ts";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { constants } = await import("node:fs");
const { open } = await import("node:fs/promises");

/** Bytes read or written at a time. */
export const FILE_BUFFER_BYTES = 128 * 1024;

const NOT_REGULAR = "not a regular file";

/**
 * Opens a regular file for reading, without ever waiting for one end of a FIFO, touching a device
 * or becoming the owner of a terminal.
 *
 * @throws {Error} When it can't be opened or is no regular file.
 */
export async function openForReading(path: string): Promise<FileHandle> {
  // Opening alone can have an effect: a tape rewinds, a watchdog starts.
  const { isFile } = await Deno.stat(path);
  if (!isFile) throw new FileError(path, NOT_REGULAR);
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;
  return await openChecked(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, requireFileAt(path));
}

/**
 * Opens a file that was just looked at, without following a link that was put at its place since.
 *
 * @param seen What `lstat` has said of it.
 * @throws {Error} When it can't be opened, or it is another file.
 */
export async function openUnlinked(path: string, seen: Deno.FileInfo): Promise<FileHandle> {
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY, O_NOFOLLOW } = constants;
  const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;
  return await openChecked(path, flags, (opened) => requireSameFile(opened, seen));
}

/** Which file or folder something is, whatever path leads to it. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number | null;
}

/** Whether two looks have seen one file or folder. */
export function isSameFile(one: FileIdentity, other: FileIdentity): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** @throws {Error} When what was opened is not what was looked at before. */
export function requireSameFile(opened: FileIdentity, seen: FileIdentity): void {
  if (!isSameFile(opened, seen)) {
    throw new Error("it was replaced by something else while it was being copied");
  }
}

/**
 * Creates a file that no other user can read; neither a file nor a link may be at its place.
 *
 * @throws {Error} When it can't be created.
 */
export async function createPrivateFile(path: string): Promise<FileHandle> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  return await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
}

/**
 * Opens a regular file for writing, without following a link at its place.
 *
 * @throws {Error} When it can't be opened or is no regular file.
 */
export async function openForWriting(path: string): Promise<FileHandle> {
  const { O_WRONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  return await openChecked(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK, requireFileAt(path));
}

/** Where a file is written: through a link that leads somewhere, else at the path itself. */
export async function targetOf(path: string): Promise<string> {
  return await Deno.realPath(path).catch(() => path);
}

/** Writes all of `bytes` at a position. @throws {Error} When the disk takes no more. */
export async function writeFully(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at);
    if (bytesWritten === 0) throw new Error("input/output error: nothing was written");
    at += bytesWritten;
  }
}

function requireFileAt(path: string): (opened: Stats) => void {
  return (opened) => {
    if (!opened.isFile()) throw new FileError(path, NOT_REGULAR);
  };
}

/** Opens a file, and closes it again where a check refuses it. */
async function openChecked(
  path: string,
  flags: number,
  check: (opened: Stats) => void,
): Promise<FileHandle> {
  const handle = await open(path, flags);
  try {
    check(await handle.stat());
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}
