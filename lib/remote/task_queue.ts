import { BoundedQueue } from "../async/bounded_queue.ts";

/** Something to do when there is room; must not reject. */
export type Task = () => Promise<void>;

/** Creates a queue of tasks, none of which starts before the caller of `add()` goes on. */
export function createTaskQueue(
  options: { concurrency: number; capacity: number },
): BoundedQueue<Task> {
  return new BoundedQueue({ ...options, run: (task) => Promise.resolve().then(task) });
}

/** Does something with each item, so many at a time; when all is over it throws the first failure. */
export async function eachOf<T>(
  items: readonly T[],
  parallel: number,
  run: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const running = Array.from({ length: parallel }, async () => {
    for (const item of rest) await run(item);
  });
  for (const end of await Promise.allSettled(running)) {
    if (end.status === "rejected") throw end.reason;
  }
}

/** Lets one go on at a time; the others wait in order. */
export class Turns {
  #last = Promise.resolve();

  /** Waits for a turn, which lasts until the result is disposed of. */
  async take(): Promise<Disposable> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#last;
    this.#last = promise;
    await before;
    return { [Symbol.dispose]: resolve };
  }
}

const REMEMBERED_IDS = 1024;

/** The last ids that came: a panel sends its requests again after a lost connection. */
export class RecentIds {
  readonly #ids = new Set<string>();

  /** Adds an id; `false` when it is a duplicate. The oldest id is forgotten for it. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > REMEMBERED_IDS) {
      const [oldest = ""] = this.#ids;
      this.#ids.delete(oldest);
    }
    return true;
  }
}
