import type { FileHandle } from "node:fs/promises";
import type { FolderEntry, FolderReader } from "./folder_reader.ts";
import { isSameFile, requireSameFile } from "./regular_file.ts";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { constants } = await import("node:fs");
const { open } = await import("node:fs/promises");

/**
 * An open folder, whose entries are reached through its descriptor: whoever renames it, or puts a
 * link at its place, leads nobody elsewhere.
 */
export class HeldFolder implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly #path: string;

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  /**
   * Opens a folder.
   *
   * @param options `followsLink`: a link at its place is followed; otherwise it is refused.
   * @throws {Error} When it can't be opened or is no folder.
   */
  static async open(
    path: string,
    { followsLink = false }: { followsLink?: boolean } = {},
  ): Promise<HeldFolder> {
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
    const handle = await open(path, O_RDONLY | O_DIRECTORY | (followsLink ? 0 : O_NOFOLLOW));
    try {
      const descriptor = `/proc/self/fd/${handle.fd}`;
      const found = await Deno.stat(descriptor).catch(() => undefined);
      const isReachable = found !== undefined && isSameFile(found, await handle.stat());
      return new HeldFolder(handle, isReachable ? descriptor : path);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** @throws {Error} When this is another folder than the one that was looked at. */
  async requireSame(seen: Deno.FileInfo): Promise<void> {
    requireSameFile(await this.#handle.stat(), seen);
  }

  /** @throws {Error} When this is the folder that was looked at, by whatever path. */
  async requireOther(seen: Deno.FileInfo): Promise<void> {
    if (isSameFile(await this.#handle.stat(), seen)) {
      throw new TypeError("cannot copy a folder into itself");
    }
  }

  /** A path of one of its entries: by the descriptor, or by its own path where there is no `/proc`. */
  entry(name: string): string {
    return `${this.#path}/${name}`;
  }

  /** Its entries. */
  async entries(folders: FolderReader): Promise<FolderEntry[]> {
    return (await Array.fromAsync(folders.read(this.#path))).flat();
  }

  /** Takes over mode and time of another; a file system that keeps no time is no reason to fail. */
  async becomeLike(other: HeldFolder): Promise<void> {
    const { mode, atime, mtime } = await other.#handle.stat();
    await this.#handle.chmod(mode & 0o7777);
    await this.#handle.utimes(atime, mtime).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
