/** Settings of a queue. */
export interface RunQueueOptions<T> {
  /** Never rejects. */
  run(item: T): Promise<void>;
  /** Whether an item that has waited is still to be run; asked when its turn comes. */
  isWanted(item: T): boolean;
  timers: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
}

const MAX_RUNNING = 16;

/** Probes that may start in each window: a list of thousands must not become a flood. */
const STARTS_PER_WINDOW = 16;

const WINDOW_MS = 100;

const MAX_WAITING = 1000;

/** Runs items in order: a bounded number at a time, started at a bounded rate. */
export class RunQueue<T> {
  readonly #options: RunQueueOptions<T>;
  #waiting: T[] = [];
  #running = 0;
  #windowStartMs = -Infinity;
  #started = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RunQueueOptions<T>) {
    this.#options = options;
  }

  /** Runs an item as soon as there is room; `false` when too many wait already. */
  add(item: T): boolean {
    if (this.#waiting.length >= MAX_WAITING) return false;
    this.#waiting.push(item);
    this.#start();
    return true;
  }

  /** Drops the items that are not wanted any more. */
  prune(): void {
    this.#waiting = this.#waiting.filter(this.#options.isWanted);
  }

  /** Drops all items that wait. */
  clear(): void {
    this.#waiting = [];
    this.#options.timers.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #start(): void {
    const nowMs = this.#options.monotonicMs();
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#started = 0;
    }
    while (this.#running < MAX_RUNNING) {
      if (this.#started === STARTS_PER_WINDOW) return this.#startLater(nowMs);
      const item = this.#waiting.shift();
      if (item === undefined) return;
      if (this.#options.isWanted(item)) this.#run(item);
    }
  }

  #startLater(nowMs: number): void {
    if (this.#timer !== undefined || this.#waiting.length === 0) return;
    this.#timer = this.#options.timers.setTimeout(() => {
      this.#timer = undefined;
      this.#start();
    }, this.#windowStartMs + WINDOW_MS - nowMs);
  }

  async #run(item: T): Promise<void> {
    this.#running++;
    this.#started++;
    await this.#options.run(item);
    this.#running--;
    this.#start();
  }
}
