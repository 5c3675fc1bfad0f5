import type { ProbeKind } from "../types.ts";

/** One run of a probe: whole milliseconds and as they were measured, or why it was lost. */
export type Measurement =
  | { lost: false; ms: number; exactMs: number }
  | { lost: true; reason: unknown };

/** One attempt to measure. */
export interface Attempt {
  /** Aborts at the time-out, and with the measurement. */
  readonly signal: AbortSignal;
  /** Runs something that is not measured and bounds its own time: the time-out stands still. */
  unmeasured<T>(run: () => Promise<T>): Promise<T>;
}

/** Time-out of one attempt. */
export const TIMEOUT_MS = 3000;

/** A first value above this is measured again. */
const SLOW_MS = 1000;

const RETRIES = 3;

/** A lost SYN is sent again after 1000 ms; 200 ms less allow for jitter. */
const LOST_SYN_MS = 800;

/**
 * Measures by the rule that all agents follow, so that their numbers agree: 3 s an attempt; a first
 * value over 1000 ms is measured up to three times more, and the first value of 1000 ms or less
 * counts, unless a TCP probe became faster by more than 800 ms: its first SYN was lost then. The rule
 * takes whole milliseconds, rounded down.
 *
 * @param once One attempt: gives milliseconds, or rejects when the probe was lost.
 * @throws The reason of `options.signal` when it aborts.
 */
export async function measure(
  once: (attempt: Attempt) => Promise<number>,
  options: { kind: ProbeKind; signal: AbortSignal },
): Promise<Measurement> {
  const { kind, signal } = options;
  try {
    const firstMs = await measureOnce(once, signal);
    const first = Math.floor(firstMs);
    if (first <= SLOW_MS) return { lost: false, ms: first, exactMs: firstMs };
    for (let retry = 0; retry < RETRIES; retry++) {
      const exactMs = await measureOnce(once, signal);
      const again = Math.floor(exactMs);
      if (again > SLOW_MS) continue;
      if (kind === "tcp" && first - again > LOST_SYN_MS) {
        return { lost: true, reason: new Error(`A SYN was lost: ${first} ms became ${again} ms`) };
      }
      return { lost: false, ms: again, exactMs };
    }
    return { lost: true, reason: new Error(`Still over ${SLOW_MS} ms after ${RETRIES} retries`) };
  } catch (reason) {
    signal.throwIfAborted();
    return { lost: true, reason };
  }
}

async function measureOnce(
  once: (attempt: Attempt) => Promise<number>,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const limit = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown) => {
    limit.abort(reason);
    reject(reason);
  };
  const abort = () => end(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let leftMs = TIMEOUT_MS;
  let startedAtMs = 0;
  const start = () => {
    startedAtMs = performance.now();
    const timedOut = () =>
      end(new DOMException(`No answer within ${TIMEOUT_MS} ms`, "TimeoutError"));
    timer = setTimeout(timedOut, leftMs);
  };
  const unmeasured = async <T>(run: () => Promise<T>): Promise<T> => {
    clearTimeout(timer);
    leftMs -= performance.now() - startedAtMs;
    try {
      return await run();
    } finally {
      if (!limit.signal.aborted) start();
    }
  };
  start();
  try {
    const ms = await Promise.race([once({ signal: limit.signal, unmeasured }), ended]);
    if (!(ms >= 0)) throw new RangeError(`Cannot measure: ${ms} is no time`);
    return ms;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
