/**
 * The lock of a file, which is made where it is missing, as another process holds it: until the block
 * ends, and no longer. A file that is only closed stays locked for as long as a child that another
 * test is just starting has a copy of its handle.
 */
export class HeldLock implements Disposable {
  readonly #file: Deno.FsFile;

  /** @param options `shared`: as by a look. `mode`: of a file that is made. */
  constructor(path: string, { shared = false, mode = 0o644 } = {}) {
    this.#file = Deno.openSync(path, { read: true, write: true, create: true, mode });
    if (!this.#file.tryLockSync(!shared)) throw new Error(`Cannot lock ${path}`);
  }

  [Symbol.dispose](): void {
    this.#file.unlockSync();
    this.#file.close();
  }
}
