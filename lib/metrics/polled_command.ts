import type { Source } from "../host/host.ts";

/** Shortest interval between two runs. */
const MIN_INTERVAL_MS = 800;

/**
 * Output of a command, readable like a file without waiting.
 *
 * Reading returns the last output and starts the next run, one at a time. So values are as old as the
 * previous report.
 */
export class PolledCommand implements Source {
  readonly #run: () => Promise<string>;
  readonly #intervalMs: number;
  #output: { text: string; updatedAtMs: number } | undefined;
  #error: unknown;
  #inFlight: Promise<void> | undefined;
  #startedAtMs = -Infinity;

  /** `intervalMs` is the shortest one between two runs; without it the command runs at every reading. */
  constructor(run: () => Promise<string>, intervalMs = 0) {
    this.#run = run;
    this.#intervalMs = Math.max(intervalMs, MIN_INTERVAL_MS);
  }

  /** Time of the last output, by the monotonic clock; 0 before the first. */
  get atMs(): number {
    return this.#output?.updatedAtMs ?? 0;
  }

  /** How long the run in flight has taken so far; 0 without one. */
  get inFlightMs(): number {
    return this.#inFlight === undefined ? 0 : performance.now() - this.#startedAtMs;
  }

  /**
   * The last output; `undefined` before the first.
   *
   * @throws {Error} When the last run failed.
   */
  read(): string | undefined {
    if (performance.now() - this.#startedAtMs >= this.#intervalMs) this.refresh();
    if (this.#error !== undefined) throw this.#error;
    return this.#output?.text;
  }

  /** Runs the command unless a run is in flight; resolves when the run has ended, also if it failed. */
  refresh(): Promise<void> {
    this.#inFlight ??= this.#runOnce().finally(() => this.#inFlight = undefined);
    return this.#inFlight;
  }

  async #runOnce(): Promise<void> {
    this.#startedAtMs = performance.now();
    try {
      const text = await this.#run();
      this.#output = { text, updatedAtMs: performance.now() };
      this.#error = undefined;
    } catch (error) {
      this.#error = error;
    }
  }
}
