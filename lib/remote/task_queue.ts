/** Runs tasks in order: a bounded number at a time, and a bounded number that wait. */
export class TaskQueue {
  readonly #parallel: number;
  readonly #capacity: number;
  #waiting: (() => Promise<void>)[] = [];
  readonly #running = new Set<Promise<void>>();

  /** @param options `parallel`: tasks that run at a time; `capacity`: tasks that may wait. */
  constructor(options: { parallel: number; capacity: number }) {
    this.#parallel = options.parallel;
    this.#capacity = options.capacity;
  }

  /**
   * Runs a task as soon as there is room, but not before the caller goes on; `false` when too many
   * wait. The task must not reject.
   */
  add(task: () => Promise<void>): boolean {
    if (this.#running.size < this.#parallel) this.#run(task);
    else if (this.#waiting.length < this.#capacity) this.#waiting.push(task);
    else return false;
    return true;
  }

  /** Drops the tasks that wait, and resolves when those that run have ended. */
  async close(): Promise<void> {
    this.#waiting = [];
    await Promise.all(this.#running);
  }

  #run(task: () => Promise<void>): void {
    const running = Promise.resolve().then(task).finally(() => {
      this.#running.delete(running);
      const next = this.#waiting.shift();
      if (next !== undefined) this.#run(next);
    });
    this.#running.add(running);
  }
}

/** The panel's ids are UUIDs of 36 characters. */
const MAX_ID_LENGTH = 256;

/** Whether a text can be an id of the panel's. */
export function isValidId(id: string): boolean {
  return id !== "" && id.length <= MAX_ID_LENGTH;
}

/** The last ids that came: a panel sends its requests again after a lost connection. */
export class RecentIds {
  readonly #capacity: number;
  readonly #ids = new Set<string>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Adds an id; `false` when it is a duplicate or invalid. The oldest id is forgotten for it. */
  add(id: string): boolean {
    if (!isValidId(id) || this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > this.#capacity) {
      const [oldest = ""] = this.#ids;
      this.#ids.delete(oldest);
    }
    return true;
  }
}
