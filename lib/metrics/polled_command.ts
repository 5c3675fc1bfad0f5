import type { Source } from "../host/host.ts";

/** An answer that is younger is not asked for again: nothing would have grown since. */
const MIN_INTERVAL_MS = 800;

/** How a text is asked for. */
export interface PolledCommandOptions {
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
  /** Milliseconds from one question to the next; at every reading by default. */
  intervalMs?: number;
}

/**
 * A text that has to be waited for, read as if it were a file.
 *
 * Nobody waits: a reading gives the last answer and asks for the next, one question at a time. So
 * what a report tells is as old as the report before.
 */
export class PolledCommand implements Source {
  readonly #run: () => Promise<string>;
  readonly #options: PolledCommandOptions;
  #output: { text: string; updatedAtMs: number } | undefined;
  #error: unknown;
  #inFlight: Promise<void> | undefined;
  #startedAtMs: number | undefined;

  constructor(ask: () => Promise<string>, options: PolledCommandOptions) {
    this.#run = ask;
    this.#options = options;
  }

  /** When the last answer came, on the clock given; 0 before the first. */
  get atMs(): number {
    return this.#output?.updatedAtMs ?? 0;
  }

  /**
   * The last answer; `undefined` before the first.
   *
   * @throws {Error} When the last question had no answer.
   */
  read(): string | undefined {
    const nowMs = this.#options.monotonicMs();
    const since = nowMs - (this.#startedAtMs ?? -Infinity);
    if (since >= Math.max(this.#options.intervalMs ?? 0, MIN_INTERVAL_MS)) this.refresh();
    if (this.#error !== undefined) throw this.#error;
    return this.#output?.text;
  }

  readFirstLine(): string | undefined {
    return this.read()?.split("\n", 1)[0];
  }

  /** Asks anew, unless that is under way; resolves when there is an answer, or none to be had. */
  refresh(): Promise<void> {
    this.#inFlight ??= this.#runOnce().finally(() => this.#inFlight = undefined);
    return this.#inFlight;
  }

  async #runOnce(): Promise<void> {
    const { monotonicMs } = this.#options;
    this.#startedAtMs = monotonicMs();
    try {
      const text = await this.#run();
      this.#output = { text, updatedAtMs: monotonicMs() };
      this.#error = undefined;
    } catch (error) {
      this.#error = error;
    }
  }
}
