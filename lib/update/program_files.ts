import { syncFolder } from "../host/atomic_write.ts";
import { dirname } from "../parse/path.ts";

/**
 * The SHA-256 of a file, in small hexadecimal digits; a part of it is in memory at a time.
 *
 * @throws {Error} When it can't be read.
 */
export async function fileSha256(path: string): Promise<string> {
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const part = new Uint8Array(64 * 1024);
  for (let count; (count = await file.read(part)) !== null;) hash.update(part.subarray(0, count));
  return hash.digest("hex");
}

/**
 * The program's file, and what lies beside it while it is renewed: `PATH.new` before it takes its
 * place, and `PATH.old`, the one before.
 *
 * At its own path there is a whole program at every moment: it changes by one rename.
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

  /** Makes the new file, with the rights of its owner alone. @throws {Error} When it can't be made. */
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
   * Gives the new file the owner and the rights of the program, and brings all of it to the disk.
   *
   * @throws {Error} When it can't.
   */
  async finishStaged(): Promise<void> {
    const { mode, uid, gid } = await Deno.stat(this.path);
    if (Deno.uid() === 0) await Deno.chown(this.stagedPath, uid, gid);
    await Deno.chmod(this.stagedPath, (mode ?? 0o755) & 0o777);
    await syncFile(this.stagedPath);
  }

  /** Throws away what was not finished. */
  async removeTemporary(): Promise<void> {
    await removeIfExists(this.stagedPath);
    await removeIfExists(this.#copy);
  }

  /** Keeps the present program as the old one. @throws {Error} When it can't be kept. */
  async backUp(): Promise<void> {
    const copy = this.#copy;
    await removeIfExists(copy);
    try {
      await Deno.link(this.path, copy);
    } catch {
      // Not every file system has hard links.
      await Deno.copyFile(this.path, copy);
      await syncFile(copy);
    }
    await Deno.rename(copy, this.backupPath);
    // Where both are links to the same file already, that has done nothing.
    await removeIfExists(copy);
    await syncFolder(this.#folder);
  }

  /** Puts the new file in the program's place. @throws {Error} When it can't. */
  async activate(): Promise<void> {
    await Deno.rename(this.stagedPath, this.path);
    await syncFolder(this.#folder);
  }

  /** Puts the old file back in the program's place. @throws {Error} When there is none. */
  async rollBack(): Promise<void> {
    try {
      await Deno.rename(this.backupPath, this.path);
      await syncFolder(this.#folder);
    } catch (cause) {
      throw new Error(`Cannot put back ${this.backupPath}`, { cause });
    }
  }

  /** Whether the file with this hash is in the program's place. */
  async isActive(sha256: string): Promise<boolean> {
    return await fileSha256(this.path) === sha256;
  }
}

async function syncFile(path: string): Promise<void> {
  using file = await Deno.open(path);
  await file.sync();
}

async function removeIfExists(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
