import { BoundedQueue, type BoundedQueueOptions, type StartRate } from "../bounded_queue.ts";

/** Probes that run at a time. */
const CONCURRENCY = 16;
/** Probes that may start in {@linkcode PERIOD_MS}: a list of thousands must not become a flood. */
const STARTS_PER_PERIOD = 16;
const PERIOD_MS = 100;
const CAPACITY = 1000;

/** Settings of a queue of probes. */
export type RunQueueOptions<T> =
  & Pick<BoundedQueueOptions<T>, "run" | "isWanted">
  & Pick<StartRate, "timers" | "monotonicMs">;

/** Creates a queue of probes, which bounds how many run, wait, and start in a period. */
export function createRunQueue<T>(options: RunQueueOptions<T>): BoundedQueue<T> {
  return new BoundedQueue({
    ...options,
    concurrency: CONCURRENCY,
    capacity: CAPACITY,
    startRate: {
      starts: STARTS_PER_PERIOD,
      periodMs: PERIOD_MS,
      timers: options.timers,
      monotonicMs: () => options.monotonicMs(),
    },
  });
}
