import type { FileHandle } from "node:fs/promises";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { constants } = await import("node:fs");
const { open } = await import("node:fs/promises");

/** The ids that a file gets; one that is not known stays. */
export interface FileOwner {
  readonly uid?: number | null;
  readonly gid?: number | null;
}

/** A file to create. */
export interface NewFile {
  /** Its text, or the path of the file that it is a copy of. */
  readonly content: string | { readonly copyOf: string };
  /** Permission bits. */
  readonly mode: number;
  /** Without one, the file belongs to the caller. */
  readonly owner?: FileOwner | undefined;
}

/** A part of a file that is copied at a time, in bytes. */
const PART_BYTES = 256 * 1024;

/**
 * Creates a file where neither a file nor a link is, and brings it to the disk. It is private until it
 * has its owner and mode. Both are set by its descriptor: whoever may rename in its folder can't make
 * root change another file.
 *
 * @throws {Error} When it can't be created or written.
 */
export async function createOwnedFile(
  path: string,
  { content, mode, owner }: NewFile,
): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  await using file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  if (typeof content === "string") await file.writeFile(content);
  else await copyInto(file, content.copyOf);
  await setOwner(file, mode, owner);
  await file.sync();
}

async function copyInto(file: FileHandle, from: string): Promise<void> {
  const source = await open(from, constants.O_RDONLY);
  await using _ = source;
  const part = new Uint8Array(PART_BYTES);
  for (;;) {
    const { bytesRead } = await source.read(part, 0, part.length);
    if (bytesRead === 0) return;
    for (let at = 0; at < bytesRead;) {
      at += (await file.write(part, at, bytesRead - at)).bytesWritten;
    }
  }
}

async function setOwner(
  file: FileHandle,
  mode: number,
  owner: FileOwner | undefined,
): Promise<void> {
  if (owner !== undefined) {
    const present = await file.stat();
    await file.chown(owner.uid ?? present.uid, owner.gid ?? present.gid);
  }
  // After the owner, of which a change takes bits away.
  await file.chmod(mode);
}

/**
 * Gives a folder a mode and an owner, by its descriptor.
 *
 * @throws {Error} When it is a link or no folder, or that fails.
 */
export async function setFolderOwner(
  path: string,
  { mode, owner }: Pick<NewFile, "mode" | "owner">,
): Promise<void> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const folder = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  await using _ = folder;
  await setOwner(folder, mode, owner);
}

/**
 * Gives a file that the caller has created owner and mode, and brings it to the disk.
 *
 * @throws {Error} When there is another file by now, or that fails.
 */
export async function finishFile(
  path: string,
  { mode, owner }: Pick<NewFile, "mode" | "owner">,
): Promise<void> {
  const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;
  await using file = await open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  const found = await file.stat();
  if (!found.isFile() || found.nlink !== 1 || found.uid !== Deno.uid()) {
    throw new Error(`${path} was replaced by another file`);
  }
  await setOwner(file, mode, owner);
  await file.sync();
}
