import { initialBytes } from "../metrics/traffic_total.ts";
import type { TrafficBytes } from "../types.ts";
import type { NetStaticSum } from "./net_static.ts";
import { MAX_OTHER_PERIODS, type PeriodBaseline, type TrafficState } from "./traffic_state.ts";

/** How long a clock must show an earlier period before it is believed. */
export const EARLIER_PERIOD_DELAY_MS = 10 * 60_000;

/** The period that counts, and those that the clock has left. */
export interface Periods {
  readonly current: PeriodBaseline;
  readonly others: readonly PeriodBaseline[];
}

/** What the clock shows, and for how long. */
export interface ClockReading {
  /** The day that began the period in which the clock stands. */
  readonly start: string;
  readonly nowMs: number;
  /** All that has passed so far. */
  readonly countedBytes: TrafficBytes;
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
export function advancePeriods(marks: Periods, look: ClockReading): Periods {
  const { current } = marks;
  if (look.start === current.start) return marks;
  const known = marks.others.find(({ start }) => start === look.start);
  const rest = [current, ...marks.others.filter((mark) => mark !== known)];
  const others = rest.slice(0, MAX_OTHER_PERIODS);
  if (look.start > current.start) {
    const goesOn = known !== undefined && look.nowMs >= known.seenMs;
    return { current: goesOn ? known : newBaseline(look, look.countedBytes), others };
  }
  if (look.earlierForMs < EARLIER_PERIOD_DELAY_MS) return marks;
  // When it began nobody has seen: all that the later one has counted is known to be of it.
  return { current: known ?? newBaseline(look, current), others };
}

/** What has passed in the current period. */
export function periodTotal({ current }: Periods, passed: TrafficBytes): TrafficBytes {
  return {
    sentBytes: passed.sentBytes - current.sentBytes,
    receivedBytes: passed.receivedBytes - current.receivedBytes,
  };
}

/** The mark that makes `total` the current period's total. */
export function baselineForTotal(
  current: PeriodBaseline,
  passed: TrafficBytes,
  total: TrafficBytes,
): PeriodBaseline {
  return {
    ...current,
    sentBytes: passed.sentBytes - total.sentBytes,
    receivedBytes: passed.receivedBytes - total.receivedBytes,
  };
}

function newBaseline(
  { start, nowMs }: ClockReading,
  { sentBytes, receivedBytes }: TrafficBytes,
): PeriodBaseline {
  return { start, seenMs: nowMs, sentBytes, receivedBytes };
}

/** The time from one reset of the month's traffic to the next, in local time. */
export interface BillingPeriod {
  /** The day it begins, as `2026-11-01`: the same in every time zone, and in the order of time. */
  readonly start: string;
  /** Milliseconds since 1970. */
  readonly startMs: number;
  /** When the next one begins; not part of this one. */
  readonly endMs: number;
}

/** The years that a clock is believed to show; what lies beyond is taken for the nearest of them. */
const CLOCK_RANGE = { firstMs: Date.UTC(1900, 0, 2), lastMs: Date.UTC(9000, 0, 1) };

/**
 * The period that a moment lies in when the traffic starts anew on `day` (1 to 31).
 *
 * In a month that doesn't have the day it starts anew on the first of the next.
 */
export function billingPeriodAt(nowMs: number, day: number): BillingPeriod {
  const believedMs = Math.min(Math.max(nowMs, CLOCK_RANGE.firstMs), CLOCK_RANGE.lastMs);
  const now = new Date(believedMs);
  const year = now.getFullYear();
  let month = now.getMonth();
  if (resetDate(year, month, day).getTime() > believedMs) month--;
  const start = resetDate(year, month, day);
  const startMs = start.getTime();
  return { start: formatDate(start), startMs, endMs: resetDate(year, month + 1, day).getTime() };
}

/** The reset that belongs to a month; months count on across years. */
function resetDate(year: number, month: number, day: number): Date {
  const date = new Date(year, month, day);
  const inMonth = date.getMonth() === ((month % 12) + 12) % 12;
  return inMonth ? date : new Date(year, month + 1, 1);
}

function formatDate(date: Date): string {
  const parts = [date.getMonth() + 1, date.getDate()];
  const [month, day] = parts.map((part) => String(part).padStart(2, "0"));
  return `${date.getFullYear()}-${month}-${day}`;
}

/** What a machine's traffic looks like when the month is taken up. */
export interface TrafficContext {
  readonly day: number;
  readonly nowMs: number;
  readonly period: BillingPeriod;
  readonly bootId: string;
  /** By the same clock as `nowMs`; `undefined` where the kernel does not tell. */
  readonly bootedAtMs: number | undefined;
  /** The present counters of what is counted. */
  readonly counters: ReadonlyMap<string, TrafficBytes>;
}

/** How much has passed in all, and when the periods began. */
export interface TrafficCount {
  readonly countedBytes: TrafficBytes;
  readonly periods: Periods;
}

const NOTHING: TrafficBytes = { sentBytes: 0, receivedBytes: 0 };

/**
 * Goes on from what an earlier run has left: what passed since then is counted.
 *
 * On the same boot that is what the counters grew by, on a new one all that they show. An interface
 * that was not counted before brings its bytes along only where the machine was booted in this
 * period. What passed over a reset without anybody to see when belongs to the period before, unless
 * the machine was booted since.
 */
export function continueCount(state: TrafficState, sight: TrafficContext): TrafficCount {
  const { period, bootedAtMs, nowMs } = sight;
  const sameBoot = isSameBoot(state, sight.bootId);
  const bootedSince = bootedAtMs !== undefined && bootedAtMs >= period.startMs;
  const brought = (name: string, now: TrafficBytes): TrafficBytes => {
    const last = sameBoot ? state.interfaces.get(name) : undefined;
    if (last === undefined && sameBoot) {
      return bootedSince && period.start === state.current.start ? now : NOTHING;
    }
    return initialBytes(last, now);
  };
  const countedBytes = [...sight.counters].reduce(
    (sum, [name, now]) => add(sum, brought(name, now)),
    state.countedBytes,
  );
  const { current, others } = state;
  // Whoever chooses another day keeps what the last reset has left, up to the next one.
  const periods = state.day === sight.day
    ? { current, others }
    : { current: { ...current, start: period.start }, others: [] };
  const begins = !sameBoot && bootedSince ? state.countedBytes : countedBytes;
  return {
    countedBytes: countedBytes,
    periods: advancePeriods(periods, {
      start: period.start,
      nowMs,
      countedBytes: begins,
      earlierForMs: 0,
    }),
  };
}

/**
 * Begins without any state. What the counters show is of this period when the machine was booted in
 * it, and after the last of what the official agent has counted; else it is not known, and left out.
 */
export function beginCount(
  sight: TrafficContext,
  official: NetStaticSum | undefined,
): TrafficCount {
  const { period, bootedAtMs = -Infinity } = sight;
  const knownUntilMs = Math.max(period.startMs, official?.untilMs ?? -Infinity);
  const countedBytes = bootedAtMs >= knownUntilMs
    ? [...sight.counters.values()].reduce(add, NOTHING)
    : NOTHING;
  const current = {
    start: period.start,
    seenMs: sight.nowMs,
    sentBytes: 0 - (official?.sentBytes ?? 0),
    receivedBytes: 0 - (official?.receivedBytes ?? 0),
  };
  return { countedBytes: countedBytes, periods: { current, others: [] } };
}

/** Whether counters can go on from the state's; where no boot has a name, they show it themselves. */
export function isSameBoot(state: TrafficState, bootId: string): boolean {
  return state.bootId === bootId || state.bootId === "" || bootId === "";
}

function add(a: TrafficBytes, b: TrafficBytes): TrafficBytes {
  return {
    sentBytes: a.sentBytes + b.sentBytes,
    receivedBytes: a.receivedBytes + b.receivedBytes,
  };
}

/** The clocks that a month is counted by. */
export interface Clocks {
  /** The clock on the wall, which may be wrong. */
  nowMs(): number;
  /** A clock that only runs forward. */
  monotonicMs(): number;
}

/** In which period the clock stands, and for how long it has stood before the one that counts. */
export class PeriodClock {
  readonly #clocks: Clocks;
  readonly #day: number;
  #period: BillingPeriod | undefined;
  #earlierSinceMs: number | undefined;

  /** `day` is the one of the month, 1 to 31, on which a period begins. */
  constructor(day: number, clocks: Clocks) {
    this.#day = day;
    this.#clocks = clocks;
  }

  /** The moment, and the period that it lies in. */
  read(): { nowMs: number; period: BillingPeriod } {
    const nowMs = this.#clocks.nowMs();
    const known = this.#period;
    // A look at the calendar costs more than all the rest of a report's traffic.
    if (known !== undefined && nowMs >= known.startMs && nowMs < known.endMs) {
      return { nowMs, period: known };
    }
    const period = billingPeriodAt(nowMs, this.#day);
    this.#period = period;
    return { nowMs, period };
  }

  /** For how long the looks have shown a period before `current`; to be told at each look. */
  earlierForMs(start: string, current: string): number {
    if (start >= current) {
      this.#earlierSinceMs = undefined;
      return 0;
    }
    const nowMs = this.#clocks.monotonicMs();
    this.#earlierSinceMs ??= nowMs;
    return nowMs - this.#earlierSinceMs;
  }
}
