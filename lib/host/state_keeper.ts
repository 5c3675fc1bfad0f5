import { abortable } from "@std/async/abortable";
import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { describeError, getLogger } from "../log.ts";
import type { StateFile } from "./state_file.ts";
import { lockFolder } from "./state_lock.ts";
import { takeOrder } from "./state_order.ts";

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

/** The first look comes soon, since whoever tries it does not wait. */
const FIRST_BEAT_MS = 1_000;
/** Orders are looked for so often, which costs nothing to speak of. */
const BEAT_MS = 10_000;
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
  #lock: Deno.FsFile | undefined;
  #written = 0;
  #trouble = "";

  constructor(file: StateFile<T>, kept: Kept<T>) {
    this.#file = file;
    this.#kept = kept;
  }

  /** Reads what there is, before anything is counted; to be called once. */
  open(): void {
    try {
      this.#lock = lockFolder(this.#file.folder);
    } catch {
      // Whatever is wrong is still wrong at the first beat, and told then.
    }
    this.#read();
  }

  /** Writes at its pace until `signal` aborts, and once more then. */
  async run(signal: AbortSignal): Promise<void> {
    const beating = this.#beatUntil(signal);
    try {
      await abortable(beating, signal).catch(() => {});
      // A write that hangs must not keep the process from ending.
      await deadline(beating.then(() => this.#save()), LAST_WRITE_MS).catch(() => {});
    } finally {
      this.#lock?.close();
    }
  }

  async #beatUntil(signal: AbortSignal): Promise<void> {
    for (let beat = 0; !signal.aborted; beat++) {
      await delay(beat === 0 ? FIRST_BEAT_MS : BEAT_MS, { signal }).catch(() => {});
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
    try {
      this.#lock = lockFolder(this.#file.folder);
    } catch (error) {
      return this.#tell(describeError(error));
    }
    if (this.#lock === undefined) {
      return this.#tell(
        `another agent uses ${this.#file.folder}; give each a --state-dir of its own`,
      );
    }
    this.#read();
  }

  #read(): void {
    try {
      const { value, troubles } = this.#file.read();
      if (troubles.length > 0) {
        const trouble = troubles.join("; ");
        this.#log.warning("{name}: {trouble}", { name: this.#kept.name, trouble });
      }
      if (value !== undefined) this.#kept.adopt(value);
    } catch (error) {
      // What can't be read must not be written over.
      this.#lock?.close();
      this.#lock = undefined;
      this.#tell(describeError(error));
    }
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
