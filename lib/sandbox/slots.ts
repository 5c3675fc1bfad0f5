import { abortable } from "@std/async/abortable";

/** Bounds how much runs at a time; the rest waits in order. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Starts work when there is room. It keeps its room until it ends, also when nobody waits for it
   * any more.
   *
   * @throws The reason of the signal when it aborts, and what the work throws.
   */
  async run<T>(work: () => Promise<T>, { signal }: { signal?: AbortSignal } = {}): Promise<T> {
    await this.#take(signal);
    const result = work().finally(() => this.#give());
    if (signal === undefined) return await result;
    // It may fail when nobody waits any more.
    result.catch(() => {});
    return await abortable(result, signal);
  }

  async #take(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    try {
      await (signal === undefined ? promise : abortable(promise, signal));
    } catch (error) {
      const index = this.#waiting.indexOf(resolve);
      if (index === -1) this.#give();
      else this.#waiting.splice(index, 1);
      throw error;
    }
  }

  #give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
