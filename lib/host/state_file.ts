import { syncFolder, writeToDisk } from "./atomic_write.ts";

/** What was found of a state that was kept. */
export interface FoundState<T> {
  /** `undefined` when there is none that can be read. */
  readonly value: T | undefined;
  /** What was wrong with it, a sentence each. */
  readonly troubles: readonly string[];
}

/**
 * A small file that survives crashes, power losses and full disks: there is always one that can be
 * read, the last that was written or the one before.
 *
 * A new one is written beside it, brought to the disk, and renamed; the one before stays as a copy.
 */
export class StateFile<T> {
  readonly folder: string;
  readonly path: string;
  readonly #parse: (text: string) => T;
  /** Damaged files, to be put aside before anything is written. */
  #damaged: string[] = [];

  /** `parse` throws an error when a text is not one that was written here. */
  constructor(folder: string, { name, parse }: { name: string; parse: (text: string) => T }) {
    this.folder = folder;
    this.path = `${folder}/${name}`;
    this.#parse = parse;
  }

  /**
   * Reads the file, or its copy when it is damaged or gone.
   *
   * @throws {Error} When one is there and the system refuses to give it.
   */
  read(): FoundState<T> {
    const copy = `${this.path}.bak`;
    const troubles: string[] = [];
    this.#damaged = [];
    for (const path of [this.path, copy]) {
      const text = textOf(path);
      if (text === undefined) continue;
      try {
        const value = this.#parse(text);
        if (path === copy) troubles.push(`${copy} is used, the copy from before`);
        return { value, troubles };
      } catch {
        troubles.push(`${path} is damaged`);
        this.#damaged.push(path);
      }
    }
    if (troubles.length > 0) {
      troubles.push("all is counted anew, and what is damaged is kept beside it as .damaged");
    }
    return { value: undefined, troubles };
  }

  /** @throws {Error} When it can't be written, or can't be brought to the disk. */
  async write(text: string): Promise<void> {
    try {
      for (const path of this.#damaged) await renameIfThere(path, `${path}.damaged`);
      this.#damaged = [];
      const fresh = `${this.path}.new`;
      await writeToDisk(fresh, { text, mode: 0o600 });
      await renameIfThere(this.path, `${this.path}.bak`);
      await Deno.rename(fresh, this.path);
      await syncFolder(this.folder);
    } catch (cause) {
      throw new Error(`Cannot write ${this.path}`, { cause });
    }
  }
}

/** Larger than any state: what is, was not written here. */
const MAX_BYTES = 1024 * 1024;

function textOf(path: string): string | undefined {
  try {
    const { size, isFile } = Deno.statSync(path);
    if (!isFile || size > MAX_BYTES) return "";
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot read ${path}`, { cause: error });
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  await Deno.rename(from, to).catch(unlessGone);
}

function unlessGone(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
