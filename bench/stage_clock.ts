import { CpuClock } from "./cpu_clock.ts";

/** `CLOCK_THREAD_CPUTIME_ID` of Linux: the time of `schedstat`, brought up to now. */
const THREAD_CPU_TIME = 3;
const CALIBRATION_CALLS = 2000;

/** Splits the CPU time of this thread among named stages of synchronous code, which may nest. */
export class StageClock {
  readonly #self = new Map<string, { us: number; calls: number }>();
  readonly #open: { stage: string; insideUs: number }[] = [];
  readonly #clock = new CpuClock();
  /** What one stage adds to its own time by being measured. */
  readonly #overheadUs: number;

  constructor() {
    const nothing = this.timed("calibration", () => {});
    for (let call = 0; call < CALIBRATION_CALLS; call++) nothing();
    this.#overheadUs = (this.#self.get("calibration")?.us ?? 0) / CALIBRATION_CALLS;
    this.#self.clear();
  }

  /** CPU time of this thread so far, in microseconds. */
  nowUs(): number {
    return this.#clock.readUs(THREAD_CPU_TIME);
  }

  /** Wraps a function, so that its time goes to a stage, but for what goes to stages within it. */
  timed<This, Args extends unknown[], Result>(
    stage: string,
    act: (this: This, ...args: Args) => Result,
  ): (this: This, ...args: Args) => Result {
    // deno-lint-ignore no-this-alias -- the wrapper has a `this` of its own
    const clock = this;
    return function (this: This, ...args: Args): Result {
      const open = { stage, insideUs: 0 };
      clock.#open.push(open);
      const startUs = clock.nowUs();
      try {
        return act.apply(this, args);
      } finally {
        const tookUs = clock.nowUs() - startUs;
        clock.#open.pop();
        clock.#add(stage, tookUs - open.insideUs);
        const outer = clock.#open.at(-1);
        if (outer !== undefined) outer.insideUs += tookUs;
      }
    };
  }

  /** Microseconds and calls of each stage so far. */
  totals(): Record<string, { us: number; calls: number }> {
    return Object.fromEntries(
      Array.from(this.#self, ([stage, { us, calls }]) => {
        return [stage, { us: Math.max(0, us - calls * this.#overheadUs), calls }];
      }),
    );
  }

  #add(stage: string, us: number): void {
    const total = this.#self.get(stage) ?? { us: 0, calls: 0 };
    total.us += us;
    total.calls++;
    this.#self.set(stage, total);
  }
}
