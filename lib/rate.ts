/**
 * Deltas of kernel counters.
 *
 * @module
 */

/**
 * What a counter grew by between two readings.
 *
 * `undefined` when it fell: it was reset, or it wrapped, and which of the two can't be told from
 * two readings; no growth is better than an invented one.
 */
export function growth(previous: number, current: number): number | undefined {
  return current >= previous ? current - previous : undefined;
}

/**
 * Growth per second; `undefined` when no time went by, when the clock was set back, or when the
 * counter fell.
 */
export function perSecond(
  previous: { value: number; atMs: number },
  current: { value: number; atMs: number },
): number | undefined {
  const elapsedMs = current.atMs - previous.atMs;
  const grown = growth(previous.value, current.value);
  if (grown === undefined || !(elapsedMs > 0)) return undefined;
  return grown * 1000 / elapsedMs;
}
