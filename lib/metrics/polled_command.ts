import type { Source } from "../host/host.ts";

/** An answer that is younger is not asked for again: nothing would have grown since. */
const YOUNG_MS = 800;

/** How a text is asked for. */
export interface LateTextOptions {
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
  /** Milliseconds from one question to the next; at every reading by default. */
  everyMs?: number;
}

/**
 * A text that has to be waited for, read as if it were a file.
 *
 * Nobody waits: a reading gives the last answer and asks for the next, one question at a time. So
 * what a report tells is as old as the report before.
 */
export class LateText implements Source {
  readonly #ask: () => Promise<string>;
  readonly #options: LateTextOptions;
  #answer: { text: string; atMs: number } | undefined;
  #error: unknown;
  #underWay: Promise<void> | undefined;
  #askedAtMs: number | undefined;

  constructor(ask: () => Promise<string>, options: LateTextOptions) {
    this.#ask = ask;
    this.#options = options;
  }

  /** When the last answer came, on the clock given; 0 before the first. */
  get atMs(): number {
    return this.#answer?.atMs ?? 0;
  }

  /**
   * The last answer; `undefined` before the first.
   *
   * @throws {Error} When the last question had no answer.
   */
  read(): string | undefined {
    const nowMs = this.#options.monotonicMs();
    const since = nowMs - (this.#askedAtMs ?? -Infinity);
    if (since >= Math.max(this.#options.everyMs ?? 0, YOUNG_MS)) this.refresh();
    if (this.#error !== undefined) throw this.#error;
    return this.#answer?.text;
  }

  readFirstLine(): string | undefined {
    return this.read()?.split("\n", 1)[0];
  }

  /** Asks anew, unless that is under way; resolves when there is an answer, or none to be had. */
  refresh(): Promise<void> {
    this.#underWay ??= this.#askOnce().finally(() => this.#underWay = undefined);
    return this.#underWay;
  }

  async #askOnce(): Promise<void> {
    const { monotonicMs } = this.#options;
    this.#askedAtMs = monotonicMs();
    try {
      const text = await this.#ask();
      this.#answer = { text, atMs: monotonicMs() };
      this.#error = undefined;
    } catch (error) {
      this.#error = error;
    }
  }
}
