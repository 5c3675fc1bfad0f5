/** Paths that `use` brings to the disk, in order; those of folders end with a slash. */
export async function syncedPaths(use: () => Promise<unknown>): Promise<string[]> {
  const synced: string[] = [];
  const { prototype } = Deno.FsFile;
  const { sync } = prototype;
  const { open } = Deno;
  const paths = new WeakMap<Deno.FsFile, string>();
  Deno.open = async (path, options) => {
    const file = await open(path, options);
    paths.set(file, String(path));
    return file;
  };
  prototype.sync = async function (): Promise<void> {
    const path = paths.get(this) ?? "";
    synced.push(this.statSync().isDirectory ? `${path}/` : path);
    await sync.call(this);
  };
  try {
    await use();
  } finally {
    prototype.sync = sync;
    Deno.open = open;
  }
  return synced;
}
