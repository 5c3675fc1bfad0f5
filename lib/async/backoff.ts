/** How the delays between attempts grow. */
export interface Backoff {
  /** The longest delay after the first attempt. */
  readonly baseMs: number;
  /** The longest delay after many attempts. */
  readonly maxMs: number;
  /** From 0 to 1; the whole delay without it. */
  readonly random?: number;
}

/**
 * The delay until the next attempt, in milliseconds: `baseMs`, doubled for each of `attempts`, and
 * `maxMs` at most. With `random` it is between half of that and all of it, so that many agents do not
 * return at once.
 *
 * @param attempts Failures in a row before the last one.
 */
export function backoffMs(attempts: number, { baseMs, maxMs, random = 1 }: Backoff): number {
  return Math.min(baseMs * 2 ** attempts, maxMs) * (0.5 + random / 2);
}
