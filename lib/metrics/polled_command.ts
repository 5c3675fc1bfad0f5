import type { Source } from "../host/host.ts";

/** Shortest interval between two runs. */
const MIN_INTERVAL_MS = 800;

/** Clock and interval of a polled command. */
export interface PolledCommandOptions {
  /** Monotonic clock, in milliseconds. */
  monotonicMs(): number;
  /** Interval between runs, in milliseconds; by default at every reading. */
  intervalMs?: number;
}

/**
 * Output of a command, readable like a file without waiting.
 *
 * Reading returns the last output and starts the next run, one at a time. So values are as old as the
 * previous report.
 */
export class PolledCommand implements Source {
  readonly #run: () => Promise<string>;
  readonly #options: PolledCommandOptions;
  #output: { text: string; updatedAtMs: number } | undefined;
  #error: unknown;
  #inFlight: Promise<void> | undefined;
  #startedAtMs: number | undefined;

  constructor(run: () => Promise<string>, options: PolledCommandOptions) {
    this.#run = run;
    this.#options = options;
  }

  /** Time of the last output, in milliseconds of the given clock; 0 before the first. */
  get atMs(): number {
    return this.#output?.updatedAtMs ?? 0;
  }

  /**
   * The last output; `undefined` before the first.
   *
   * @throws {Error} When the last run failed.
   */
  read(): string | undefined {
    const nowMs = this.#options.monotonicMs();
    const since = nowMs - (this.#startedAtMs ?? -Infinity);
    if (since >= Math.max(this.#options.intervalMs ?? 0, MIN_INTERVAL_MS)) this.refresh();
    if (this.#error !== undefined) throw this.#error;
    return this.#output?.text;
  }

  /** The first line of the last output. */
  readFirstLine(): string | undefined {
    return this.read()?.split("\n", 1)[0];
  }

  /** Runs the command unless a run is in flight; resolves when the run has ended, also if it failed. */
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
