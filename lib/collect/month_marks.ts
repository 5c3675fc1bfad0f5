import { MAX_OTHER_PERIODS, type PeriodMark } from "../parse/month_state.ts";
import type { BothWays } from "../types.ts";

/** How long a clock must show an earlier period before it is believed. */
export const PATIENCE_MS = 10 * 60_000;

/** The period that counts, and those that the clock has left. */
export interface MonthMarks {
  readonly current: PeriodMark;
  readonly others: readonly PeriodMark[];
}

/** What the clock shows, and for how long. */
export interface ClockLook {
  /** The day that began the period in which the clock stands. */
  readonly start: string;
  readonly nowMs: number;
  /** All that has passed so far. */
  readonly passed: BothWays;
  /** For how long it has shown a period before the current one, on a clock that only runs forward. */
  readonly earlierForMs: number;
}

/**
 * The marks after a look at the clock, which may be wrong.
 *
 * - A period later than the current one begins at once, or goes on when it was left before. One that
 *   was last seen at a later moment than now was made up by a clock that ran ahead: it begins anew.
 * - An earlier period changes nothing at first: before the time has been asked for on the network,
 *   many a machine believes in the year 1970. Only when the clock has shown it for ten minutes
 *   it was the later one that was wrong, and the earlier goes on with all that passed since.
 *
 * A mark is how much had passed when its period began, so no byte is lost by going to and fro.
 */
export function turnMarks(marks: MonthMarks, look: ClockLook): MonthMarks {
  const { current } = marks;
  if (look.start === current.start) return marks;
  const known = marks.others.find(({ start }) => start === look.start);
  const rest = [current, ...marks.others.filter((mark) => mark !== known)];
  const others = rest.slice(0, MAX_OTHER_PERIODS);
  if (look.start > current.start) {
    const goesOn = known !== undefined && look.nowMs >= known.seenMs;
    return { current: goesOn ? known : markOf(look, look.passed), others };
  }
  if (look.earlierForMs < PATIENCE_MS) return marks;
  // When it began nobody has seen: all that the later one has counted is known to be of it.
  return { current: known ?? markOf(look, current), others };
}

/** What has passed in the current period. */
export function periodTotal({ current }: MonthMarks, passed: BothWays): BothWays {
  return {
    sentBytes: passed.sentBytes - current.sentBytes,
    receivedBytes: passed.receivedBytes - current.receivedBytes,
  };
}

/** The mark that makes `total` the current period's total. */
export function markFor(current: PeriodMark, passed: BothWays, total: BothWays): PeriodMark {
  return {
    ...current,
    sentBytes: passed.sentBytes - total.sentBytes,
    receivedBytes: passed.receivedBytes - total.receivedBytes,
  };
}

function markOf({ start, nowMs }: ClockLook, { sentBytes, receivedBytes }: BothWays): PeriodMark {
  return { start, seenMs: nowMs, sentBytes, receivedBytes };
}
