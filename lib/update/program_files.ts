import { finishFile } from "../host/owned_file.ts";
import { linkOrCopy, removeIfExists, syncFile } from "../state/atomic_write.ts";
import { dirname } from "../parse/path.ts";

/**
 * The SHA-256 of a file in lower-case hex, read in chunks.
 *
 * @throws {Error} When it can't be read.
 */
export async function fileSha256(path: string): Promise<string> {
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  const file = await Deno.open(path);
  using _ = file;
  const part = new Uint8Array(64 * 1024);
  for (let count; (count = await file.read(part)) !== null;) hash.update(part.subarray(0, count));
  return hash.digest("hex");
}

/**
 * The program file, and its neighbours during an update: `PATH.new`, the staged version, and
 * `PATH.old`, the backup.
 *
 * The program's path holds a complete program at any time: it changes by one rename.
 */
export class ProgramFiles {
  readonly path: string;
  readonly stagedPath: string;
  readonly backupPath: string;
  readonly #copy: string;
  readonly #folder: string;

  constructor(path: string) {
    this.path = path;
    this.stagedPath = `${path}.new`;
    this.backupPath = `${path}.old`;
    this.#copy = `${path}.old.new`;
    this.#folder = dirname(path) || "/";
  }

  /** Creates the staged file, private to its owner. @throws {Error} When it can't be created. */
  async createStaged(): Promise<Deno.FsFile> {
    try {
      await removeIfExists(this.stagedPath);
      return await Deno.open(this.stagedPath, {
        read: true,
        write: true,
        createNew: true,
        mode: 0o600,
      });
    } catch (cause) {
      throw new Error(`Cannot write ${this.stagedPath}`, { cause });
    }
  }

  /**
   * Copies owner and mode of the program to the staged file, and syncs it.
   *
   * @throws {Error} When that fails.
   */
  async finishStaged(): Promise<void> {
    const { mode, uid, gid } = await Deno.stat(this.path);
    await finishFile(this.stagedPath, {
      mode: (mode ?? 0o755) & 0o777,
      owner: Deno.uid() === 0 ? { uid, gid } : undefined,
    });
  }

  /** Removes unfinished files. */
  async removeTemporary(): Promise<void> {
    await removeIfExists(this.stagedPath);
    await removeIfExists(this.#copy);
  }

  /** Keeps the present program as the backup. @throws {Error} When that fails. */
  async backUp(): Promise<void> {
    await linkOrCopy(this.path, this.#copy);
    await Deno.rename(this.#copy, this.backupPath);
    // rename() does nothing when both are links to one file.
    await removeIfExists(this.#copy);
    await syncFile(this.#folder);
  }

  /** Replaces the program with the staged file. @throws {Error} When that fails. */
  async activate(): Promise<void> {
    await Deno.rename(this.stagedPath, this.path);
    await syncFile(this.#folder);
  }

  /** Replaces the program with the backup. @throws {Error} When there is none. */
  async rollBack(): Promise<void> {
    try {
      await Deno.rename(this.backupPath, this.path);
      await syncFile(this.#folder);
    } catch (cause) {
      throw new Error(`Cannot restore ${this.backupPath}`, { cause });
    }
  }

  /** Whether the program file has this SHA-256. */
  async isActive(sha256: string): Promise<boolean> {
    return await fileSha256(this.path) === sha256;
  }
}
