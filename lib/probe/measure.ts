import type { ProbeKind } from "../types.ts";

/** One run of a probe: milliseconds, or why it was lost. */
export type Measurement = { lost: false; ms: number } | { lost: true; reason: unknown };

/** Settings of a measurement. */
export interface MeasureOptions {
  kind: ProbeKind;
  signal: AbortSignal;
  /** Runs before each attempt; it is not measured, and has to bound its own time. */
  before?: ((signal: AbortSignal) => Promise<void>) | undefined;
  timers?: Pick<typeof globalThis, "setTimeout" | "clearTimeout">;
}

/** Time-out of one attempt, and of the resolution of a name before it. */
export const TIMEOUT_MS = 3000;

/** A first value above this is measured again. */
const SLOW_MS = 1000;

const RETRIES = 3;

/** A lost SYN is sent again after 1000 ms; 200 ms less allow for jitter. */
const LOST_SYN_MS = 800;

/**
 * Measures by the rule that all agents follow, so that their numbers agree: 3 s an attempt; a first
 * value over 1000 ms is measured up to three times more, and the first value of 1000 ms or less
 * counts, unless a TCP probe became faster by more than 800 ms: its first SYN was lost then. Values
 * are whole milliseconds, rounded down.
 *
 * @param once One attempt: gives milliseconds, or rejects when the probe was lost. Its signal aborts
 * at the time-out.
 * @throws The reason of `options.signal` when it aborts.
 */
export async function measure(
  once: (signal: AbortSignal) => Promise<number>,
  options: MeasureOptions,
): Promise<Measurement> {
  try {
    const first = await attempt(once, options);
    if (first <= SLOW_MS) return { lost: false, ms: first };
    for (let retry = 0; retry < RETRIES; retry++) {
      const again = await attempt(once, options);
      if (again > SLOW_MS) continue;
      if (options.kind === "tcp" && first - again > LOST_SYN_MS) {
        return { lost: true, reason: new Error(`A SYN was lost: ${first} ms became ${again} ms`) };
      }
      return { lost: false, ms: again };
    }
    return { lost: true, reason: new Error(`Still over ${SLOW_MS} ms after ${RETRIES} retries`) };
  } catch (reason) {
    options.signal.throwIfAborted();
    return { lost: true, reason };
  }
}

async function attempt(
  once: (signal: AbortSignal) => Promise<number>,
  options: MeasureOptions,
): Promise<number> {
  const { signal, timers = globalThis } = options;
  signal.throwIfAborted();
  if (options.before !== undefined) {
    await options.before(signal);
    signal.throwIfAborted();
  }
  const limit = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown) => {
    limit.abort(reason);
    reject(reason);
  };
  const abort = () => end(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const timer = timers.setTimeout(
    () => end(new DOMException(`No answer within ${TIMEOUT_MS} ms`, "TimeoutError")),
    TIMEOUT_MS,
  );
  try {
    const ms = Math.floor(await Promise.race([once(limit.signal), ended]));
    if (!(ms >= 0)) throw new RangeError(`Cannot measure: ${ms} is no time`);
    return ms;
  } finally {
    timers.clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
