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
