/** What a queue works with. */
export interface RunQueueOptions<T> {
  /** Never rejects. */
  run(item: T): Promise<void>;
  /** Whether an item that has waited is still to be run. */
  isWanted(item: T): boolean;
  timers: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
}

const AT_A_TIME = 16;

/** So many runs may start in {@linkcode WINDOW_MS}: a list of thousands must not become a flood. */
const STARTS_A_WINDOW = 16;

const WINDOW_MS = 100;

const WAITING_LIMIT = 1000;

/** Runs items in the order in which they came, so many at a time and so many in a while. */
export class RunQueue<T> {
  readonly #options: RunQueueOptions<T>;
  #waiting: T[] = [];
  #running = 0;
  #windowFromMs = -Infinity;
  #started = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RunQueueOptions<T>) {
    this.#options = options;
  }

  /** Runs an item as soon as there is room; `false` when too many wait already. */
  add(item: T): boolean {
    if (this.#waiting.length >= WAITING_LIMIT) return false;
    this.#waiting.push(item);
    this.#start();
    return true;
  }

  /** Forgets what is not wanted any more. */
  prune(): void {
    this.#waiting = this.#waiting.filter(this.#options.isWanted);
  }

  /** Forgets all that wait. */
  clear(): void {
    this.#waiting = [];
    this.#options.timers.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #start(): void {
    const nowMs = this.#options.monotonicMs();
    if (nowMs - this.#windowFromMs >= WINDOW_MS) {
      this.#windowFromMs = nowMs;
      this.#started = 0;
    }
    while (this.#running < AT_A_TIME) {
      if (this.#started === STARTS_A_WINDOW) return this.#startLater(nowMs);
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
    }, this.#windowFromMs + WINDOW_MS - nowMs);
  }

  async #run(item: T): Promise<void> {
    this.#running++;
    this.#started++;
    await this.#options.run(item);
    this.#running--;
    this.#start();
  }
}
