/** What starts an update, and how often that is. */
export interface UpdateTriggerParts {
  /** Starts one apart from this process, and does not wait for its end. */
  start(): Promise<void>;
  /** Whether a trial of a new version was cut off. */
  readonly isTrialOpen: boolean;
  /** Told once for each failure in a row. */
  onError(error: unknown): void;
  /** From 0 to 1. */
  readonly random?: () => number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Soon after the start, but not all that were started at the same time at once. */
const FIRST_MS = { from: 5 * MINUTE_MS, to: HOUR_MS };
/** Every 6 h, drawn anew each time so that agents spread out. */
const LATER_MS = { from: 3 * HOUR_MS, to: 9 * HOUR_MS };

/**
 * Starts an update every 6 h, the first one within an hour; at once when one was cut off, since the
 * version that runs has to prove itself.
 *
 * All the rest is another process's, so that an agent that waits holds nothing of it in memory.
 */
export class UpdateTrigger {
  readonly #parts: UpdateTriggerParts;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hasFailed = false;
  #isStopped = false;

  constructor(parts: UpdateTriggerParts) {
    this.#parts = parts;
    if (parts.isTrialOpen) this.#fire();
    else this.#wait(FIRST_MS);
  }

  /** Starts none from now on. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #wait({ from, to }: { from: number; to: number }): void {
    const random = this.#parts.random ?? Math.random;
    this.#timer = setTimeout(() => this.#fire(), from + random() * (to - from));
  }

  async #fire(): Promise<void> {
    try {
      await this.#parts.start();
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed && !this.#isStopped) this.#parts.onError(error);
      this.#hasFailed = true;
    }
    if (!this.#isStopped) this.#wait(LATER_MS);
  }
}
