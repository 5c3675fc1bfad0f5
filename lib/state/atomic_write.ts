/**
 * Gives a file a second name in place of whatever has it: as a link, else as a copy with its owner
 * and mode. A symbolic link is copied, not followed.
 *
 * @throws {Error} When that fails.
 */
export async function linkOrCopy(path: string, other: string): Promise<void> {
  await removeIfExists(other);
  const { isSymlink, mode, uid, gid } = Deno.lstatSync(path);
  if (isSymlink) return await Deno.symlink(Deno.readLinkSync(path), other);
  try {
    await Deno.link(path, other);
  } catch {
    // Not every file system has hard links.
    await Deno.copyFile(path, other);
    await Deno.chmod(other, (mode ?? 0o600) & 0o777);
    if (Deno.uid() === 0) await Deno.chown(other, uid, gid);
    await syncFile(other);
  }
}

/**
 * Brings a file's content and mode to the disk, or a folder's entries, so that a rename in it survives a
 * power loss.
 *
 * @throws {Error} When that fails.
 */
export async function syncFile(path: string): Promise<void> {
  const file = await Deno.open(path);
  using _ = file;
  await file.sync();
}

/** Removes a file, or with `recursive` a folder. @throws {Error} When it exists and stays. */
export async function removeIfExists(
  path: string,
  options: { recursive?: boolean } = {},
): Promise<void> {
  try {
    await Deno.remove(path, options);
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (!isMissing) throw error;
  }
}
