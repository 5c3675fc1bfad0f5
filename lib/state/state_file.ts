import { syncFolder } from "./atomic_write.ts";
import { openWritableFile } from "./writable_file.ts";
import { SlotFile } from "./slot_file.ts";

/** A state that was read. */
export interface StateContent<T> {
  /** `undefined` when there is none that can be read. */
  readonly value: T | undefined;
  /** Damages that were found, a sentence each. */
  readonly problems: readonly string[];
}

/**
 * A small file that survives crashes, power losses and full disks: the last state that was written,
 * or the one before, can always be read.
 *
 * Once {@linkcode open} has been called, no path is needed any more: the file can be written after
 * the process has been sealed.
 */
export class StateFile<T> implements Disposable {
  readonly folder: string;
  /** `FOLDER/NAME.state`; older versions kept `FOLDER/NAME.json`. */
  readonly path: string;
  readonly #olderPath: string;
  readonly #parse: (text: string) => T;
  #slots: SlotFile | undefined;
  /** The content that was read by the path, which a sealed process can't do again. */
  #lastRead: StateContent<T> | undefined;

  /** `parse` throws an error when a text is not one that was written here. */
  constructor(folder: string, { name, parse }: { name: string; parse: (text: string) => T }) {
    this.folder = folder;
    this.path = `${folder}/${name}.state`;
    this.#olderPath = `${folder}/${name}.json`;
    this.#parse = parse;
  }

  /** Whether an open file has been deleted, so that nothing written to it would be found again. */
  get isDeleted(): boolean {
    return this.#slots?.isDeleted ?? false;
  }

  /**
   * Reads the state, the one before where the last is damaged, or that of an older version. What was
   * read once is given again when a file that is not open can't be read any more.
   *
   * @throws {Error} When there is one and the system refuses to give it.
   */
  read(): StateContent<T> {
    if (this.#slots !== undefined) {
      // The state of an older version was moved over.
      return this.#readSlots(this.#slots) ?? { value: undefined, problems: [] };
    }
    try {
      return this.#lastRead = this.#readByPath();
    } catch (error) {
      if (this.#lastRead === undefined) throw error;
      return this.#lastRead;
    }
  }

  #readByPath(): StateContent<T> {
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(this.path);
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return this.#readOlder();
      throw new Error(`Cannot read ${this.path}`, { cause });
    }
    const slots = new SlotFile(file);
    using _ = slots;
    return this.#readSlots(slots) ?? this.#readOlder();
  }

  /**
   * Reads the state, and keeps the file open for {@linkcode write}; the folder is made if it is
   * missing. A state of an older version is moved over: its file stays for a version that is rolled
   * back to. A file without a state that can be read is renamed to `NAME.state.damaged`.
   *
   * @throws {Error} When the file can't be read, made or written.
   */
  async open(): Promise<StateContent<T>> {
    try {
      Deno.mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      const content = this.read();
      const isDamaged = content.value === undefined && content.problems.length > 0;
      if (isDamaged) await this.#setAside();
      const isNew = !exists(this.path);
      this.#slots ??= new SlotFile(openWritableFile(this.path, { mode: 0o600 }));
      if (isNew) {
        // A disk that is full may have room later: a write says so.
        await this.#slots.markNew().catch(() => {});
        await syncFolder(this.folder);
      }
      const { text } = this.#slots.read();
      const older = text === undefined && !isDamaged ? this.#olderText() : undefined;
      if (older !== undefined) await this.#slots.write(older);
      return content;
    } catch (cause) {
      throw new Error(`Cannot use ${this.path}`, { cause });
    }
  }

  /** @throws {Error} When it can't be written, or can't be brought to the disk. */
  async write(text: string): Promise<void> {
    try {
      if (this.#slots === undefined) await this.open();
      await this.#slots?.write(text);
    } catch (cause) {
      throw new Error(`Cannot write ${this.path}`, { cause });
    }
  }

  /** Checks that a state of `bytes` could be written. @throws {Error} When it could not. */
  async checkWritable(bytes: number): Promise<void> {
    try {
      if (this.#slots === undefined) await this.open();
      await this.#slots?.checkWritable(bytes);
    } catch (cause) {
      throw new Error(`Cannot write ${this.path}`, { cause });
    }
  }

  [Symbol.dispose](): void {
    this.#slots?.[Symbol.dispose]();
    this.#slots = undefined;
  }

  /** `undefined` when nothing was written yet. */
  #readSlots(slots: SlotFile): StateContent<T> | undefined {
    const { text, damaged } = slots.read();
    if (text === undefined && damaged === 0) return undefined;
    const value = text === undefined ? undefined : this.#parsed(text);
    if (value === undefined) return { value, problems: [`${this.path} is damaged`, STARTS_ANEW] };
    const problems = damaged === 0 ? [] : [`${this.path} is damaged, and an older state is used`];
    return { value, problems };
  }

  #readOlder(): StateContent<T> {
    const problems: string[] = [];
    for (const path of this.#olderPaths()) {
      const text = readOlderText(path);
      if (text === undefined) continue;
      const value = this.#parsed(text);
      if (value !== undefined) return { value, problems };
      problems.push(`${path} is damaged`);
    }
    if (problems.length > 0) problems.push(STARTS_ANEW);
    return { value: undefined, problems };
  }

  #olderPaths(): readonly string[] {
    return [this.#olderPath, `${this.#olderPath}.bak`];
  }

  /** The text of an older version that can be read. */
  #olderText(): string | undefined {
    return this.#olderPaths().map(readOlderText)
      .find((text) => text !== undefined && this.#parsed(text) !== undefined);
  }

  #parsed(text: string): T | undefined {
    try {
      return this.#parse(text);
    } catch {
      return undefined;
    }
  }

  async #setAside(): Promise<void> {
    this[Symbol.dispose]();
    for (const path of [this.path, ...this.#olderPaths()]) {
      if (exists(path)) await Deno.rename(path, `${path}.damaged`);
    }
  }
}

const STARTS_ANEW = "it starts anew, and the damaged file is kept as .damaged";
/** Larger than any state of an older version. */
const MAX_OLDER_BYTES = 1024 * 1024;

/** `undefined` when there is no such file. @throws {Error} When the system refuses to give it. */
function readOlderText(path: string): string | undefined {
  try {
    const { size, isFile } = Deno.statSync(path);
    if (!isFile || size > MAX_OLDER_BYTES) return "";
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot read ${path}`, { cause: error });
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
