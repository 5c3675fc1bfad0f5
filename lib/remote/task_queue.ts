import { BoundedQueue } from "../async/bounded_queue.ts";

/** Something to do when there is room; must not reject. */
export type Task = () => Promise<void>;

/** Creates a queue of tasks, none of which starts before the caller of `add()` goes on. */
export function createTaskQueue(
  options: { concurrency: number; capacity: number },
): BoundedQueue<Task> {
  return new BoundedQueue({ ...options, run: (task) => Promise.resolve().then(task) });
}

/** The panel's ids are UUIDs of 36 characters. */
const MAX_ID_LENGTH = 256;

/** Whether a text can be an id of the panel's. */
export function isValidId(id: string): boolean {
  return id !== "" && id.length <= MAX_ID_LENGTH;
}

const REMEMBERED_IDS = 1024;

/** The last ids that came: a panel sends its requests again after a lost connection. */
export class RecentIds {
  readonly #capacity: number;
  readonly #ids = new Set<string>();

  constructor(capacity = REMEMBERED_IDS) {
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
