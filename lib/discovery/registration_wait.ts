/** How the tries to register went so far. */
export interface Tries {
  /** Failures in a row, other than refusals. */
  readonly failed: number;
  /** Tries whose answer got lost: each may have left a node at the panel. */
  readonly doubtful: number;
  /** Refusals in a row: nothing comes of a try before somebody sets the panel or the key right. */
  readonly refused: number;
}

/** The longest waits, the first and the slowest; half of each is waited at least. */
interface Waits {
  readonly firstMs: number;
  readonly slowestMs: number;
}

const USUAL: Waits = { firstMs: 1_000, slowestMs: 30_000 };
/** A panel that answers too late would get a node by each try. */
const IN_DOUBT: Waits = { firstMs: 60_000, slowestMs: 60 * 60_000 };
const REFUSED: Waits = { firstMs: 2 * 60_000, slowestMs: 60 * 60_000 };

/** How long to wait for the next try, in milliseconds; `random` is from 0 up to 1. */
export function registrationWaitMs(
  { failed, doubtful, refused }: Tries,
  random: number,
): number {
  const longestMs = Math.max(
    longest(failed, USUAL),
    longest(doubtful, IN_DOUBT),
    longest(refused, REFUSED),
  );
  return longestMs * (0.5 + random / 2);
}

/** Twice as long each time. */
function longest(count: number, { firstMs, slowestMs }: Waits): number {
  return count === 0 ? 0 : Math.min(firstMs * 2 ** (count - 1), slowestMs);
}
