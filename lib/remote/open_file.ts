/**
 * Opens files and folders by name, so that nothing else is read or written than what was looked at.
 *
 * @module
 */

import type { FileHandle } from "node:fs/promises";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { constants } = await import("node:fs");
const { open } = await import("node:fs/promises");

/** Bytes read or written at a time. */
export const FILE_BUFFER_BYTES = 128 * 1024;

/** Which file or folder something is, whatever path leads to it. */
export type FileIdentity = Pick<Deno.FileInfo, "dev" | "ino">;

/** Whether two looks have seen one file or folder. */
export function isSameFile(one: FileIdentity, other: FileIdentity): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/**
 * Opens a regular file for reading, without following a link, waiting for one end of a FIFO, touching a
 * device or becoming the owner of a terminal.
 *
 * @param seen What `lstat` has said of it; without it the caller has to look at what was opened.
 * @throws {Error} When it can't be opened, is no regular file, or something else has taken its place.
 */
export async function openForReading(path: string, seen?: Deno.FileInfo): Promise<FileHandle> {
  // Opening alone can have an effect: a tape rewinds, a watchdog starts.
  if (seen?.isFile === false) throw new TypeError("not a regular file");
  return await openSeen(path, constants.O_NONBLOCK | constants.O_NOCTTY, seen);
}

/**
 * Opens a folder, whose entries {@linkcode entryPath} reaches through its descriptor: another user who
 * renames it, or replaces it with a link, can't redirect that.
 *
 * @param seen What `lstat` has said of it, if it may be no other.
 * @throws {Error} When it can't be opened, is no folder, or something else has taken its place.
 */
export async function holdFolder(path: string, seen?: Deno.FileInfo): Promise<FileHandle> {
  return await openSeen(path, constants.O_RDONLY | constants.O_DIRECTORY, seen);
}

/** The path of an entry in a folder that is held open. */
export function entryPath(folder: FileHandle, name: string): string {
  return `/proc/self/fd/${folder.fd}/${name}`;
}

async function openSeen(path: string, flags: number, seen?: Deno.FileInfo): Promise<FileHandle> {
  const handle = await open(path, flags | constants.O_NOFOLLOW);
  if (seen === undefined || isSameFile(await handle.stat(), seen)) return handle;
  await handle.close();
  throw new Error("it was replaced by something else meanwhile");
}

/**
 * Creates a file that no other user can read; neither a file nor a link may be at its place.
 *
 * @throws {Error} When it can't be created.
 */
export async function createPrivateFile(path: string): Promise<FileHandle> {
  const { O_WRONLY, O_CREAT, O_EXCL } = constants;
  return await open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600);
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
