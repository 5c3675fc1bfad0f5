/**
 * Opens a file for reading and writing, and creates it where there is none.
 *
 * The folder may belong to a user who is not trusted: links are not followed, and nothing but a
 * regular file is taken.
 *
 * @throws {Error} When it can't be opened, or something else lies there.
 */
export function openWritableFile(path: string, { mode }: { mode: number }): Deno.FsFile {
  // Another process may create the file between the first two.
  const file = openExisting(path) ?? openNew(path, mode) ?? openExisting(path);
  if (file === undefined) throw new Error(`Cannot use ${path}: it is being replaced`);
  const { isFile, dev, ino } = file.statSync();
  const named = Deno.lstatSync(path);
  if (isFile && named.isFile && named.dev === dev && named.ino === ino) return file;
  file.close();
  throw new Error(`Cannot use ${path}: it is no regular file`);
}

function openExisting(path: string): Deno.FsFile | undefined {
  try {
    if (!Deno.lstatSync(path).isFile) throw new Error(`Cannot use ${path}: it is no regular file`);
    // A pipe that was put there since is opened without waiting, as any that is opened both ways.
    return Deno.openSync(path, { read: true, write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function openNew(path: string, mode: number): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path, { read: true, write: true, createNew: true, mode });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return undefined;
    throw error;
  }
}
