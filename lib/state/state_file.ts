import { attempt } from "../attempt.ts";
import { writeAll } from "../io/write_all.ts";
import { removeIfExists, syncFile } from "./atomic_write.ts";
import { openWritableFile } from "./writable_file.ts";

/** A state that was read. */
export interface StateContent<T> {
  /** `undefined` when there is none that can be read. */
  readonly value: T | undefined;
  /** Damages that were found, a sentence each. */
  readonly problems: readonly string[];
}

/** Each slot's share of the file; what is not written stays a hole on the disk. */
const SLOT_BYTES = 64 * 1024;

/**
 * A small file that survives crashes, power losses and full disks: the last state that was written,
 * or the one before, can always be read.
 *
 * Two slots of fixed size are written in turn, each `CHECKSUM SEQUENCE TEXT` and a zero byte, and
 * brought to the disk. Once {@linkcode open} has been called, no path is needed any more: the file can
 * be written after the process has been sealed.
 */
export class StateFile<T> implements Disposable {
  readonly folder: string;
  /** `FOLDER/NAME.state`. */
  readonly path: string;
  readonly #parse: (text: string) => T;
  #file: Deno.FsFile | undefined;
  /** Of the text that was read or written last; 0 for the mark of a new file. */
  #sequence = 0;
  /** The content that was read by the path, which a sealed process can't do again. */
  #lastRead: StateContent<T> | undefined;

  /** `parse` throws an error when a text is not one that was written here. */
  constructor(folder: string, { name, parse }: { name: string; parse: (text: string) => T }) {
    this.folder = folder;
    this.path = `${folder}/${name}.state`;
    this.#parse = parse;
  }

  /**
   * Reads the state, or the one before where the last is damaged. What was read once is given again
   * when a file that is not open can't be read any more.
   *
   * @throws {Error} When there is one and the system refuses to give it.
   */
  read(): StateContent<T> {
    if (this.#file !== undefined) return this.#readSlots(this.#file);
    try {
      // The folder's owner can put a pipe here, and opening a pipe waits for a writer.
      if (!Deno.statSync(this.path).isFile) throw new TypeError("it is not a regular file");
      const file = Deno.openSync(this.path);
      using _ = file;
      return this.#lastRead = this.#readSlots(file);
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return { value: undefined, problems: [] };
      if (this.#lastRead !== undefined) return this.#lastRead;
      throw new Error(`Cannot read ${this.path}`, { cause });
    }
  }

  /**
   * Reads the state, and keeps the file open for {@linkcode write}; the folder is made if it is
   * missing. A file without a state that can be read is renamed to `NAME.state.damaged`.
   *
   * @throws {Error} When the file can't be read, made or written.
   */
  async open(): Promise<StateContent<T>> {
    try {
      Deno.mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      const content = this.read();
      if (content.value === undefined && content.problems.length > 0) {
        this[Symbol.dispose]();
        await Deno.rename(this.path, `${this.path}.damaged`);
      }
      if (attempt(() => Deno.lstatSync(this.path)) === undefined) await this.#create();
      this.#file ??= openWritableFile(this.path, { mode: 0o600 });
      return content;
    } catch (error) {
      // That it can't be read names it as well.
      const cause = error instanceof Error ? error.cause ?? error : error;
      throw new Error(`Cannot use ${this.path}`, { cause });
    }
  }

  /**
   * Writes a state into the slot that does not have the last one.
   *
   * @throws {Error} When it can't be written or brought to the disk, or when the open file has been
   * deleted; the state before it is still there then.
   */
  async write(text: string): Promise<void> {
    if (this.#file === undefined) await this.open();
    const file = this.#file;
    if (file === undefined) return;
    // Unknown where the path, which the runtime resolves first, leads through folders of root's alone.
    if (attempt(() => file.statSync().nlink) === 0) {
      throw new Error(`${this.path} was deleted`);
    }
    try {
      await this.#fill(file, { sequence: this.#sequence + 1, text });
    } catch (cause) {
      throw new Error(`Cannot write ${this.path}`, { cause });
    }
  }

  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /**
   * Makes the file with a mark in it, since one without even that was emptied by a crash. It gets its
   * name when it has the mark: another process may look for it at the same time. On a disk that is full
   * it gets none; a write says so.
   */
  async #create(): Promise<void> {
    const fresh = `${this.path}.${crypto.randomUUID()}`;
    try {
      const file = openWritableFile(fresh, { mode: 0o600 });
      using _ = file;
      await this.#fill(file, { sequence: 0, text: "" });
      await Deno.link(fresh, this.path);
    } catch {
      // Another process was first, or it is opened and filled by its name.
    } finally {
      await removeIfExists(fresh);
    }
    const file = openWritableFile(this.path, { mode: 0o600 });
    this.#file = file;
    if (file.statSync().size === 0) {
      await this.#fill(file, { sequence: 0, text: "" }).catch(() => {});
    }
    await syncFile(this.folder);
  }

  async #fill(file: Deno.FsFile, { sequence, text }: Slot): Promise<void> {
    const numbered = `${sequence} ${text}`;
    const bytes = new TextEncoder().encode(`${checksum(numbered)} ${numbered}\0`);
    if (bytes.length > SLOT_BYTES) {
      throw new RangeError(`Cannot keep ${bytes.length} bytes: at most 64 KiB fit`);
    }
    file.seekSync(sequence % 2 * SLOT_BYTES, Deno.SeekMode.Start);
    await writeAll(file, bytes);
    await file.syncData();
    this.#sequence = sequence;
  }

  #readSlots(file: Deno.FsFile): StateContent<T> {
    const slots = [0, 1].map((slot) => readSlot(file, slot)).filter((text) => text !== "");
    const whole = slots.map(parseSlot).filter((slot) => slot !== undefined);
    const newest = whole.toSorted((a, b) => b.sequence - a.sequence)[0];
    this.#sequence = newest?.sequence ?? 0;
    const isWhole = whole.length === slots.length;
    if (newest?.sequence === 0 && isWhole) return { value: undefined, problems: [] };
    const value = newest && attempt(() => this.#parse(newest.text));
    const damage = `${this.path} is damaged`;
    if (value === undefined) {
      return {
        value,
        problems: [damage, "it starts anew, and the damaged file is kept as .damaged"],
      };
    }
    return { value, problems: isWhole ? [] : [`${damage}, and an older state is used`] };
  }
}

interface Slot {
  readonly sequence: number;
  readonly text: string;
}

/** What is in a slot; empty where nothing was written. */
function readSlot(file: Deno.FsFile, slot: number): string {
  const bytes = new Uint8Array(SLOT_BYTES);
  file.seekSync(slot * SLOT_BYTES, Deno.SeekMode.Start);
  let length = 0;
  for (;;) {
    const count = file.readSync(bytes.subarray(length));
    // Nothing more at the end of the file, and 0 bytes once the slot is full.
    if (!count) break;
    length += count;
  }
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end === -1 ? length : end));
}

/** `undefined` when the slot is damaged. */
function parseSlot(text: string): Slot | undefined {
  const [, sum, numbered = "", sequence] = /^(\d+) ((\d{1,15}) [^]*)$/.exec(text) ?? [];
  if (sum !== checksum(numbered)) return undefined;
  return { sequence: Number(sequence), text: numbered.slice(numbered.indexOf(" ") + 1) };
}

/** CRC-32, as gzip and Ethernet compute it. */
function checksum(text: string): string {
  let sum = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return String((sum ^ 0xffffffff) >>> 0);
}
