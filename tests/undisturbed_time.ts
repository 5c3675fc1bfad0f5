import { attempt } from "../lib/attempt.ts";

/**
 * Time that passes while neither the main thread of a process nor this one waits for a processor: a
 * busy machine stops it. Where the kernel does not count that, all time passes.
 */
export class UndisturbedTime {
  readonly #pid: number;
  readonly #startMs = performance.now();
  readonly #before: readonly number[];
  /** Beyond that: of a process that has ended, what was seen last. */
  #waitedMs = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#before = this.#waits();
  }

  /** Milliseconds so far; the process is looked at now. */
  get ms(): number {
    const waits = this.#waits().map((ms, index) => ms - (this.#before[index] ?? 0));
    this.#waitedMs = Math.max(this.#waitedMs, ...waits);
    return performance.now() - this.#startMs - this.#waitedMs;
  }

  #waits(): number[] {
    return [this.#pid, "thread-self"].map((process) => {
      const text = attempt(() => Deno.readTextFileSync(`/proc/${process}/schedstat`));
      return Number(text?.split(" ")[1] ?? 0) / 1e6;
    });
  }
}
