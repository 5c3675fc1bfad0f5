import { openWritableFile } from "./writable_file.ts";

/** How often a lock is tried that another process looks at, and the time between. */
const LOCK_TRIES = 10;
const PAUSE_MS = 5;

/**
 * A lock of a folder, for one process at a time.
 *
 * The kernel holds it and releases it when the process ends, however it ends, so there are no stale
 * ones, and processes in several containers see each other's. It is opened before the process is
 * sealed and can be taken at any time.
 */
export class FolderLock implements Disposable {
  readonly #file: Deno.FsFile;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /**
   * Opens the lock without taking it; the folder is made if it is missing. Locks of other names are
   * other locks.
   *
   * @throws {Error} When the folder can't be made or written to.
   */
  static open(folder: string, { name = "lock" }: { name?: string } = {}): FolderLock {
    try {
      Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
      return new FolderLock(openWritableFile(`${folder}/${name}`, { mode: 0o600 }));
    } catch (cause) {
      throw new Error(`Cannot use the folder ${folder}`, { cause });
    }
  }

  /** Takes the lock; whether it could be had. */
  tryLock(): boolean {
    return this.#file.tryLockSync(true);
  }

  /** Takes the lock from processes that look at it just now, but from none that has taken it. */
  takeFromLookers(): boolean {
    return takeFromLookers(this.#file);
  }

  /** Releases the lock, which can be taken again. */
  unlock(): void {
    this.#file.unlockSync();
  }

  /** Releases the lock for good. */
  [Symbol.dispose](): void {
    // A child that is just being started holds a copy of the handle for a moment, and the lock by it.
    this.unlock();
    this.#file.close();
  }
}

/**
 * Takes a file's lock from processes that only look whether it is taken, and share it for a moment
 * then, but from none that has taken it.
 */
export function takeFromLookers(file: Deno.FsFile): boolean {
  for (let tries = 1; !file.tryLockSync(true); tries++) {
    const isTaken = !file.tryLockSync(false);
    if (isTaken || tries === LOCK_TRIES) return false;
    file.unlockSync();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
  }
  return true;
}

/**
 * Whether a process has locked a file, by a look that takes the lock for a moment; `shared`: other
 * looks don't count.
 */
export function isLocked(file: Deno.FsFile, { shared }: { shared: boolean }): boolean {
  if (!file.tryLockSync(!shared)) return true;
  // A child that is just being started may keep a copy of the handle beyond its closing.
  file.unlockSync();
  return false;
}

/** Whether a process has locked the folder. */
export function isFolderLocked(folder: string): boolean {
  try {
    const path = `${folder}/lock`;
    if (!Deno.statSync(path).isFile) return false;
    const file = Deno.openSync(path, { write: true });
    using _ = file;
    return isLocked(file, { shared: false });
  } catch {
    return false;
  }
}
