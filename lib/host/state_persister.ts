import { abortable } from "@std/async/abortable";
import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { describeError, getLogger } from "../log/log.ts";
import type { StateFile } from "./state_file.ts";
import { lockFolder } from "./state_lock.ts";

/** Where one process leaves word for another that has the folder. */
const NAME = "order.json";
/** Orders are a few words long. */
const MAX_BYTES = 4096;

/** Leaves an order for the process that has the folder. @throws {Error} When it can't be written. */
export async function leaveOrder(folder: string, order: string): Promise<void> {
  const path = `${folder}/${NAME}`;
  try {
    await Deno.writeTextFile(`${path}.new`, order, { mode: 0o600 });
    await Deno.rename(`${path}.new`, path);
  } catch (cause) {
    throw new Error(`Cannot write ${path}`, { cause });
  }
}

/** Whether an order lies there that nobody has taken. */
export function isOrderWaiting(folder: string): boolean {
  try {
    return Deno.statSync(`${folder}/${NAME}`).isFile;
  } catch {
    return false;
  }
}

/**
 * Takes the order that lies there; `undefined` when there is none. One that can't be taken away is
 * not taken, since it would be obeyed again and again.
 *
 * @throws {Error} When it can't be read or taken away.
 */
export async function takeOrder(folder: string): Promise<string | undefined> {
  const path = `${folder}/${NAME}`;
  if (!isOrderWaiting(folder)) return undefined;
  const { size } = await Deno.stat(path);
  const order = size > MAX_BYTES ? "" : await Deno.readTextFile(path);
  await Deno.remove(path);
  return order;
}

/** What is kept. */
export interface Kept<T> {
  /** In the words of the log, as the start of a sentence. */
  readonly name: string;
  /** Grows whenever there is something new to write. */
  generation(): number;
  /** Goes on from what was found. */
  adopt(found: T): void;
  /** The text to be written, brought up to date; `undefined` while there is nothing. */
  text(): string | undefined;
  /** Does what another process has left word of. */
  obey(order: string): void;
}

/** How long it is until orders are looked for, at first and later. */
export interface KeeperPace {
  readonly firstMs: number;
  readonly beatMs: number;
}

/** The first look comes soon, for whoever tries it; later ones so often that nobody waits long. */
const PACE: KeeperPace = { firstMs: 1_000, beatMs: 10_000 };
/** A state is written once a minute at most. */
const BEATS_PER_WRITE = 6;
/** The end of the process waits so long for the last write. */
const LAST_WRITE_MS = 400;

/**
 * Keeps a state in its file, alone: whoever comes second only counts along.
 *
 * Where nothing can be written, that is said once, and tried again every minute.
 */
export class StateKeeper<T> {
  readonly #file: StateFile<T>;
  readonly #kept: Kept<T>;
  readonly #log = getLogger("agent");
  readonly #pace: KeeperPace;
  #lock: Deno.FsFile | undefined;
  #written = 0;
  #trouble = "";

  constructor(file: StateFile<T>, kept: Kept<T>, options: { pace?: KeeperPace } = {}) {
    this.#file = file;
    this.#kept = kept;
    this.#pace = options.pace ?? PACE;
  }

  /** Reads what there is, before anything is counted; to be called once. */
  open(): void {
    try {
      this.#lock = lockFolder(this.#file.folder);
    } catch {
      // Whatever is wrong is still wrong at the first beat, and told then.
    }
    try {
      this.#read();
    } catch {
      this.#letGo();
    }
  }

  /** Writes at its pace until `signal` aborts, and once more then. */
  async run(signal: AbortSignal): Promise<void> {
    const beating = this.#beatUntil(signal);
    try {
      await abortable(beating, signal).catch(() => {});
      // A write that hangs must not keep the process from ending.
      await deadline(beating.then(() => this.#save()), LAST_WRITE_MS).catch(() => {});
    } finally {
      this.#letGo();
    }
  }

  async #beatUntil(signal: AbortSignal): Promise<void> {
    const { firstMs, beatMs } = this.#pace;
    for (let beat = 0; !signal.aborted; beat++) {
      await delay(beat === 0 ? firstMs : beatMs, { signal }).catch(() => {});
      if (!signal.aborted) await this.#beat(beat % BEATS_PER_WRITE === 0);
    }
  }

  async #beat(isTimeToWrite: boolean): Promise<void> {
    if (isTimeToWrite) this.#takeOver();
    if (this.#lock === undefined) return;
    const order = await takeOrder(this.#file.folder).catch(() => undefined);
    if (order !== undefined) this.#kept.obey(order);
    if (isTimeToWrite || order !== undefined) await this.#save();
  }

  /** Takes the folder, when that was not possible before, with what lies there by now. */
  #takeOver(): void {
    if (this.#lock !== undefined) return;
    const { folder } = this.#file;
    try {
      this.#lock = lockFolder(folder);
      if (this.#lock !== undefined) return this.#read();
      this.#tell(`another agent uses ${folder}; give each a --state-dir of its own`);
    } catch (error) {
      this.#letGo();
      this.#tell(describeError(error));
    }
  }

  /** @throws {Error} When there is something that can't be read. */
  #read(): void {
    const { value, troubles } = this.#file.read();
    if (troubles.length > 0) {
      const trouble = troubles.join("; ");
      this.#log.warning("{name}: {trouble}", { name: this.#kept.name, trouble });
    }
    if (value !== undefined) this.#kept.adopt(value);
  }

  /** What can't be read must not be written over. */
  #letGo(): void {
    this.#lock?.close();
    this.#lock = undefined;
  }

  async #save(): Promise<void> {
    if (this.#lock === undefined) return;
    const text = this.#kept.text();
    const generation = this.#kept.generation();
    if (generation === this.#written || text === undefined) return;
    try {
      await this.#file.write(text);
      this.#written = generation;
      this.#tell("");
    } catch (error) {
      // Without its folder the lock is one on nothing; both are made anew at the next try.
      if (error instanceof Error && error.cause instanceof Deno.errors.NotFound) this.#letGo();
      this.#tell(describeError(error));
    }
  }

  /** Says a trouble when it starts, when it changes and when it ends. */
  #tell(trouble: string): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    const { name } = this.#kept;
    const { folder } = this.#file;
    if (trouble === "") {
      this.#log.info("{name} is kept in {folder} again", { name, folder });
    } else {
      this.#log.warning(
        "{name} can't be kept: {trouble}; it is counted in memory only, and would be lost",
        { name, trouble },
      );
    }
  }
}
