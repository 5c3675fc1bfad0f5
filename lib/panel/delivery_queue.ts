/** What an outbox is made of. */
export interface OutboxOptions<T> {
  /** Delivers one item; must not reject. */
  readonly deliver: (item: T) => Promise<void>;
  /** So many deliveries at a time. */
  readonly parallel: number;
  /** So many items may wait; the oldest goes when one comes on top. */
  readonly capacity: number;
}

/** Items on their way to the panel: few at a time, in order, and never more than fit. */
export class Outbox<T> {
  readonly #options: OutboxOptions<T>;
  readonly #waiting: T[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #dropped = 0;

  constructor(options: OutboxOptions<T>) {
    this.#options = options;
  }

  /** Items that were dropped because too many were waiting. */
  get dropped(): number {
    return this.#dropped;
  }

  add(item: T): void {
    this.#waiting.push(item);
    if (this.#waiting.length > this.#options.capacity) {
      this.#waiting.shift();
      this.#dropped++;
    }
    this.#deliverNext();
  }

  /** Forgets what waits, and resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#waiting.length = 0;
    await Promise.all(this.#inFlight);
  }

  #deliverNext(): void {
    if (this.#inFlight.size >= this.#options.parallel) return;
    const item = this.#waiting.shift();
    if (item === undefined) return;
    const delivery = this.#options.deliver(item).finally(() => {
      this.#inFlight.delete(delivery);
      this.#deliverNext();
    });
    this.#inFlight.add(delivery);
  }
}
