/** Runs work in the order in which it came: so much at a time, and so much that may wait. */
export class Turns {
  readonly #parallel: number;
  readonly #capacity: number;
  #waiting: (() => Promise<void>)[] = [];
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: { parallel: number; capacity: number }) {
    this.#parallel = options.parallel;
    this.#capacity = options.capacity;
  }

  /** Runs work when its turn comes, never at once; `false` when too much waits. It must not reject. */
  add(work: () => Promise<void>): boolean {
    if (this.#underWay.size < this.#parallel) this.#run(work);
    else if (this.#waiting.length < this.#capacity) this.#waiting.push(work);
    else return false;
    return true;
  }

  /** Forgets what waits, and resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#waiting = [];
    await Promise.all(this.#underWay);
  }

  #run(work: () => Promise<void>): void {
    const running = Promise.resolve().then(work).finally(() => {
      this.#underWay.delete(running);
      const next = this.#waiting.shift();
      if (next !== undefined) this.#run(next);
    });
    this.#underWay.add(running);
  }
}

/** An id of the panel's is a UUID; who sends longer ones means no good. */
const LONGEST = 256;

/** Remembers the last ids that came, since a panel sends its requests again after each loss. */
export class SeenIds {
  readonly #capacity: number;
  readonly #ids = new Set<string>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Takes note of an id; `false` when it came before, or can't be one. */
  add(id: string): boolean {
    if (id === "" || id.length > LONGEST || this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > this.#capacity) {
      const [oldest = ""] = this.#ids;
      this.#ids.delete(oldest);
    }
    return true;
  }
}
