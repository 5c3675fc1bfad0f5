import { abortable } from "@std/async/abortable";
import { delay } from "@std/async/delay";
import { diagnoseOwn } from "../diagnosis/diagnose.ts";
import { describeError, getLogger } from "../log/log.ts";
import { settlesWithin } from "../async/timeout.ts";
import type { ProblemObserver } from "./health_file.ts";
import type { StateFile } from "./state_file.ts";
import { FolderLock } from "./state_lock.ts";

/** A state that is to be persisted. */
export interface PersistentState<T> {
  /** In the words of the log, as the start of a sentence. */
  readonly name: string;
  /** Continues with a state that was read. */
  adopt(state: T): void;
  /** Grows whenever there is something new to write: a text may have changed by its time alone. */
  generation(): number;
  /** The text to be written, brought up to date; `undefined` while there is nothing. */
  text(): string | undefined;
}

/** The first write comes soon, for someone who tries the option; later ones spare the disk. */
const FIRST_WRITE_MS = 1_000;
const WRITE_INTERVAL_MS = 60_000;
/** The process waits so long for the last write when it ends. */
const LAST_WRITE_MS = 400;

/**
 * Keeps a state in its file, one process at a time: a second one counts along and writes nothing.
 *
 * File and lock are opened once, since a sealed process can't open them later. When that fails, or a
 * write does, the log says so once.
 */
export class StatePersister<T> {
  readonly #file: StateFile<T>;
  readonly #state: PersistentState<T>;
  readonly #observer: ProblemObserver | undefined;
  readonly #log = getLogger("agent");
  #lock: FolderLock | undefined;
  #isLocked = false;
  #writing: Promise<void> = Promise.resolve();
  #writtenGeneration = 0;
  #problem = "";

  constructor(file: StateFile<T>, state: PersistentState<T>, observer?: ProblemObserver) {
    this.#file = file;
    this.#state = state;
    this.#observer = observer;
  }

  /** Opens and reads the file, before anything is counted and before the process is sealed. */
  async open(): Promise<void> {
    const { folder } = this.#file;
    try {
      this.#lock = FolderLock.open(folder);
      this.#isLocked = this.#lock.tryLock();
      this.#adopt(this.#isLocked ? await this.#file.open() : this.#file.read());
      if (!this.#isLocked) await this.#file.open();
    } catch (error) {
      this.#close();
      this.#setProblem(`${describeError(error)}; restart the agent when that is repaired`);
    }
  }

  /** Writes at its intervals until `signal` aborts, and once more then. */
  async run(signal: AbortSignal): Promise<void> {
    for (let delayMs = FIRST_WRITE_MS; !signal.aborted; delayMs = WRITE_INTERVAL_MS) {
      await delay(delayMs, { signal }).catch(() => {});
      if (signal.aborted) break;
      this.#tryLock();
      await abortable(this.flush(), signal).catch(() => {});
    }
    // A write that hangs must not keep the process from ending.
    await settlesWithin(this.flush(), LAST_WRITE_MS);
    this.#close();
  }

  /** Takes the folder when another process has left it, and continues with its state. */
  #tryLock(): void {
    if (this.#isLocked || this.#lock === undefined) return;
    const { folder } = this.#file;
    try {
      this.#isLocked = this.#lock.tryLock();
      if (this.#isLocked) this.#adopt(this.#file.read());
      else this.#setProblem(`another agent uses ${folder}`);
    } catch (error) {
      this.#setProblem(describeError(error));
    }
  }

  #adopt({ value, problems }: ReturnType<StateFile<T>["read"]>): void {
    const { name } = this.#state;
    if (problems.length > 0) {
      this.#log.warning("{name}: {problems}", { name, problems: problems.join("; ") });
    }
    if (value !== undefined) this.#state.adopt(value);
  }

  /** Whether this process may write the file; another one that has the folder does it else. */
  get isOwner(): boolean {
    return this.#isLocked;
  }

  /**
   * Writes at once; the result says why the state can't be kept, and is empty where it is. One write
   * at a time: two would take the same slot.
   */
  async flush(): Promise<string> {
    await (this.#writing = this.#writing.then(() => this.#writeNow()));
    return this.#problem;
  }

  /** Never throws: no later write would begin. */
  async #writeNow(): Promise<void> {
    if (!this.#isLocked) return;
    try {
      const text = this.#state.text();
      const generation = this.#state.generation();
      if (generation === this.#writtenGeneration || text === undefined) return;
      await this.#file.write(text);
      this.#writtenGeneration = generation;
      this.#setProblem("");
    } catch (error) {
      this.#setProblem(describeError(error));
    }
  }

  #close(): void {
    this.#isLocked = false;
    this.#lock?.[Symbol.dispose]();
    this.#lock = undefined;
    this.#file[Symbol.dispose]();
  }

  /** Logs a problem when it starts, when it changes and when it ends. */
  #setProblem(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    const { name } = this.#state;
    const { folder } = this.#file;
    this.#observer?.setProblem("state", problem === "" ? undefined : problem);
    if (problem === "") {
      this.#log.info("{name} is kept in {folder} again", { name, folder });
    } else {
      const { action } = diagnoseOwn("state", problem, folder);
      this.#log.warning(
        "{name} can't be kept: {problem}; it is counted in memory only \u2192 {action}",
        { name, problem, action },
      );
    }
  }
}
