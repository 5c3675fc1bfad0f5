/**
 * Takes a folder for this process alone; `undefined` when another has it.
 *
 * The kernel holds the lock and lets go of it when the process ends, however it ends, so there are
 * no stale ones, and processes in several containers see each other's. The folder is made if it is
 * missing. Locks of other names are other locks.
 *
 * @throws {Error} When the folder can't be made or written to.
 */
export function lockFolder(
  folder: string,
  { name = "lock" }: { name?: string } = {},
): Deno.FsFile | undefined {
  let file: Deno.FsFile | undefined;
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    file = Deno.openSync(`${folder}/${name}`, { write: true, create: true, mode: 0o600 });
    if (file.tryLockSync(true)) return file;
    file.close();
    return undefined;
  } catch (cause) {
    file?.close();
    throw new Error(`Cannot use the folder ${folder}`, { cause });
  }
}

/** Whether a process has taken the folder. */
export function isFolderLocked(folder: string): boolean {
  try {
    using file = Deno.openSync(`${folder}/lock`, { write: true });
    return !file.tryLockSync(true);
  } catch {
    return false;
  }
}
