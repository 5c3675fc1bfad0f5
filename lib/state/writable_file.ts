/**
 * Opens a file for reading and writing, and creates it where there is none.
 *
 * The folder may belong to a user who is not trusted: links are not followed, and nothing but a
 * regular file is taken.
 *
 * @throws {Error} When it can't be opened, or something else lies there.
 */
export function openWritableFile(path: string, { mode }: { mode: number }): Deno.FsFile {
  const file = openNew(path, mode) ?? openExisting(path);
  const { isFile, dev, ino } = file.statSync();
  const named = Deno.lstatSync(path);
  if (isFile && named.isFile && named.dev === dev && named.ino === ino) return file;
  file.close();
  throw notRegular(path);
}

function openNew(path: string, mode: number): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path, { read: true, write: true, createNew: true, mode });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return undefined;
    throw error;
  }
}

function openExisting(path: string): Deno.FsFile {
  if (!Deno.lstatSync(path).isFile) throw notRegular(path);
  // A pipe that was put there since is opened without waiting, as any that is opened both ways.
  return Deno.openSync(path, { read: true, write: true });
}

function notRegular(path: string): Error {
  return new Error(`Cannot use ${path}: it is no regular file`);
}
