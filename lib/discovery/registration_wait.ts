/** How the tries to register went so far. */
export interface Tries {
  /** Failures in a row. */
  readonly failed: number;
  /** Tries whose answer got lost: each may have left a node at the panel. */
  readonly doubtful: number;
}

const FIRST_MS = 1_000;
const SLOWEST_MS = 30_000;
/** A panel that answers too late would get a node by each try. */
const FIRST_IN_DOUBT_MS = 60_000;
const SLOWEST_IN_DOUBT_MS = 60 * 60_000;

/** How long to wait for the next try, in milliseconds; `random` is from 0 up to 1. */
export function registrationWaitMs({ failed, doubtful }: Tries, random: number): number {
  const longestMs = doubtful === 0
    ? Math.min(FIRST_MS * 2 ** (failed - 1), SLOWEST_MS)
    : Math.min(FIRST_IN_DOUBT_MS * 2 ** (doubtful - 1), SLOWEST_IN_DOUBT_MS);
  return longestMs * (0.5 + random / 2);
}
