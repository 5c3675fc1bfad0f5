/** Settings of a queue. */
export interface BoundedQueueOptions<T> {
  /** Processes one item; must not reject. */
  run(item: T): Promise<void>;
  /** Items that are processed at a time. */
  readonly concurrency: number;
  /** Items that may wait. */
  readonly capacity: number;
  /** Policy for an item added to a full queue; the new one is refused by default. */
  readonly whenFull?: "refuse" | "drop oldest";
  /** Whether an item that has waited is still to be processed; all are by default. */
  isWanted?(item: T): boolean;
  /** Bounds how many items start in each period, however short they are. */
  readonly startRate?: { readonly starts: number; readonly periodMs: number };
}

/** Processes items in order: a bounded number at a time, while a bounded number waits. */
export class BoundedQueue<T> {
  readonly #options: BoundedQueueOptions<T>;
  readonly #running = new Set<Promise<void>>();
  #waiting: T[] = [];
  #periodStartMs = -Infinity;
  #starts = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: BoundedQueueOptions<T>) {
    this.#options = options;
  }

  /** Processes an item as soon as there is room; `false` when the queue is full and refuses it. */
  add(item: T): boolean {
    this.#waiting.push(item);
    this.#startNext();
    if (this.#waiting.length <= this.#options.capacity) return true;
    if (this.#options.whenFull !== "drop oldest") {
      this.#waiting.pop();
      return false;
    }
    this.#waiting.shift();
    return true;
  }

  /** Drops the waiting items that are not wanted any more. */
  prune(): void {
    const { isWanted } = this.#options;
    if (isWanted !== undefined) this.#waiting = this.#waiting.filter((item) => isWanted(item));
  }

  /** Drops the items that wait. */
  clear(): void {
    this.#waiting = [];
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Resolves when no item is being processed, and none of those that wait can be. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.race(this.#running);
  }

  /** Drops the items that wait, and resolves when those that are being processed have ended. */
  async close(): Promise<void> {
    this.clear();
    await Promise.all(this.#running);
  }

  #startNext(): void {
    const { concurrency, isWanted } = this.#options;
    while (this.#running.size < concurrency && this.#waiting.length > 0) {
      const delayMs = this.#delayToNextStart();
      if (delayMs > 0) return this.#startLater(delayMs);
      const item = this.#waiting.shift();
      if (item !== undefined && (isWanted?.(item) ?? true)) this.#run(item);
    }
  }

  #delayToNextStart(): number {
    const { startRate } = this.#options;
    if (startRate === undefined) return 0;
    const nowMs = performance.now();
    if (nowMs - this.#periodStartMs >= startRate.periodMs) {
      this.#periodStartMs = nowMs;
      this.#starts = 0;
    }
    return this.#starts < startRate.starts ? 0 : this.#periodStartMs + startRate.periodMs - nowMs;
  }

  #startLater(delayMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#startNext();
    }, delayMs);
  }

  #run(item: T): void {
    this.#starts++;
    const running = this.#options.run(item).finally(() => {
      this.#running.delete(running);
      this.#startNext();
    });
    this.#running.add(running);
  }
}
