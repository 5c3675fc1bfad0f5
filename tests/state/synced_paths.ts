import { type FileHandle, open as openHandle } from "node:fs/promises";
import { replaced } from "../replaced.ts";

/** Paths that `use` brings to the disk, in order; those of folders end with a slash. */
export async function syncedPaths(use: () => Promise<unknown>): Promise<string[]> {
  const synced: string[] = [];
  const { prototype } = Deno.FsFile;
  const { sync } = prototype;
  const { open } = Deno;
  const paths = new WeakMap<Deno.FsFile, string>();
  using _opened = replaced(Deno, {
    async open(path, options) {
      const file = await open(path, options);
      paths.set(file, String(path));
      return file;
    },
  });
  using _files = replaced(prototype, {
    async sync(this: Deno.FsFile): Promise<void> {
      const path = paths.get(this) ?? "";
      synced.push(this.statSync().isDirectory ? `${path}/` : path);
      await sync.call(this);
    },
  });
  // Node's handles have one prototype, which their module does not export.
  const any = await openHandle(new URL(import.meta.url));
  const handles: FileHandle = Object.getPrototypeOf(any);
  await any.close();
  const { sync: syncHandle } = handles;
  using _handles = replaced(handles, {
    async sync(this: FileHandle): Promise<void> {
      const path = await Deno.readLink(`/proc/self/fd/${this.fd}`);
      synced.push((await this.stat()).isDirectory() ? `${path}/` : path);
      await syncHandle.call(this);
    },
  });
  await use();
  return synced;
}
