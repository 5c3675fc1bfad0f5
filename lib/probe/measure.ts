import { abortable } from "@std/async/abortable";
import { isTimeout, withTimeout } from "../async/timeout.ts";
import type { ProbeKind } from "../types.ts";

/** Time-out of what is measured: a handshake, a round trip, or one request of several. */
const TIMEOUT_MS = 3000;

/**
 * Runs what is measured.
 *
 * @throws {Error} After 3 s.
 * @throws The reason of `signal` when it aborts.
 */
export async function withinLimit<T>(
  signal: AbortSignal,
  run: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  const limits = { timeoutMs: TIMEOUT_MS, signal };
  try {
    return await withTimeout((limit) => abortable(run(limit), limit), limits);
  } catch (error) {
    throw isTimeout(error) ? new Error(`No answer within ${TIMEOUT_MS} ms`) : error;
  }
}

/** A first value above this is measured again. */
const SLOW_MS = 1000;

const RETRIES = 3;

/** A lost SYN is sent again after 1000 ms; 200 ms less allow for jitter. */
const LOST_SYN_MS = 800;

/**
 * Measures by the rule that all agents follow, so that their numbers agree: a first value over 1000 ms is
 * measured up to three times more, and the first value of 1000 ms or less counts, unless a TCP probe
 * became faster by more than 800 ms: its first SYN was lost then. The rule takes whole milliseconds,
 * rounded down; the result is as it was measured.
 *
 * @param once One attempt: gives milliseconds, or rejects when the probe was lost.
 * @throws Why the probe was lost.
 */
export async function measure(
  once: () => Promise<number>,
  kind: ProbeKind,
): Promise<number> {
  const firstMs = await measureOnce(once);
  const first = Math.floor(firstMs);
  if (first <= SLOW_MS) return firstMs;
  for (let retry = 0; retry < RETRIES; retry++) {
    const exactMs = await measureOnce(once);
    const again = Math.floor(exactMs);
    if (again > SLOW_MS) continue;
    if (kind === "tcp" && first - again > LOST_SYN_MS) {
      throw new Error(`A SYN was lost: ${first} ms became ${again} ms`);
    }
    return exactMs;
  }
  throw new Error(`Still over ${SLOW_MS} ms after ${RETRIES} retries`);
}

async function measureOnce(once: () => Promise<number>): Promise<number> {
  const ms = await once();
  if (!(ms >= 0)) throw new RangeError(`Cannot measure: ${ms} is no time`);
  return ms;
}
