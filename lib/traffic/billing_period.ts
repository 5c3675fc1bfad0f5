import { bytesSince } from "../metrics/traffic_total.ts";
import type { TrafficBytes } from "../types.ts";
import type { NetStaticSum } from "./net_static.ts";
import { MAX_OTHER_PERIODS, type PeriodBaseline, type TrafficState } from "./traffic_state.ts";

/** Time for which the clock must show an earlier period before the count returns to it. */
const EARLIER_PERIOD_DELAY_MS = 10 * 60_000;

/** Baselines of the current period and of recent other ones. */
export interface Periods {
  readonly current: PeriodBaseline;
  readonly others: readonly PeriodBaseline[];
}

/** A reading of the wall clock. */
export interface ClockReading {
  /** First day of the period that the clock shows. */
  readonly start: string;
  readonly nowMs: number;
  /** All bytes counted so far. */
  readonly countedBytes: TrafficBytes;
  /** Time for which it has shown a period before the current one, by the monotonic clock. */
  readonly earlierForMs: number;
}

/**
 * Selects the current period after a reading of the clock, which may be wrong.
 *
 * - A later period starts at once, or continues if it was current before. One that was last seen at a
 *   later time than now belongs to a clock that ran ahead: it starts again.
 * - An earlier period changes nothing at first: before time synchronization many machines are in
 *   1970. When the clock has shown it for ten minutes, the later period was wrong, and the earlier one
 *   continues with all bytes counted since.
 *
 * A baseline is the count at the start of a period, so no byte is lost by switching between periods.
 */
export function advancePeriods(periods: Periods, clock: ClockReading): Periods {
  const { current } = periods;
  if (clock.start === current.start) return periods;
  const known = periods.others.find(({ start }) => start === clock.start);
  const rest = [current, ...periods.others.filter((mark) => mark !== known)];
  const others = rest.slice(0, MAX_OTHER_PERIODS);
  const fresh = { start: clock.start, seenMs: clock.nowMs };
  if (clock.start > current.start) {
    const isContinued = known !== undefined && clock.nowMs >= known.seenMs;
    return { current: isContinued ? known : { ...fresh, ...clock.countedBytes }, others };
  }
  if (clock.earlierForMs < EARLIER_PERIOD_DELAY_MS) return periods;
  // Its start was not observed: everything that the later period counted belongs to it.
  return { current: known ?? { ...current, ...fresh }, others };
}

/** The time from one monthly reset to the next, in local time. */
export interface BillingPeriod {
  /** First day, as `2026-11-01`: independent of the time zone, and sortable. */
  readonly start: string;
  /** Milliseconds since 1970. */
  readonly startMs: number;
  /** Start of the next period, exclusive end of this one. */
  readonly endMs: number;
}

/** Range to which the clock is clamped. */
const CLOCK_RANGE = { firstMs: Date.UTC(1900, 0, 2), lastMs: Date.UTC(9000, 0, 1) };

/**
 * The billing period of a time, with a reset on `day` (1 to 31) of each month.
 *
 * In a month without that day the reset is on the first of the next month.
 */
export function billingPeriodAt(nowMs: number, day: number): BillingPeriod {
  const clampedMs = Math.min(Math.max(nowMs, CLOCK_RANGE.firstMs), CLOCK_RANGE.lastMs);
  const now = new Date(clampedMs);
  const year = now.getFullYear();
  let month = now.getMonth();
  if (resetDate(year, month, day).getTime() > clampedMs) month--;
  const start = resetDate(year, month, day);
  const startMs = start.getTime();
  return { start: formatDate(start), startMs, endMs: resetDate(year, month + 1, day).getTime() };
}

/** Date of the reset of a month; months may be beyond the year's bounds. */
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

/** Clock, boot and counters at the start of counting. */
export interface TrafficContext {
  readonly day: number;
  readonly nowMs: number;
  readonly period: BillingPeriod;
  readonly bootId: string;
  /** By the same clock as `nowMs`; `undefined` where the uptime is unknown. */
  readonly bootedAtMs: number | undefined;
  /** Current counters of the counted interfaces. */
  readonly counters: ReadonlyMap<string, TrafficBytes>;
  /** Indexes of these interfaces, where they are known. */
  readonly indexes: ReadonlyMap<string, number>;
}

/** All bytes ever counted, and the baselines of the periods. */
export interface TrafficCount {
  readonly countedBytes: TrafficBytes;
  readonly periods: Periods;
}

const NOTHING: TrafficBytes = { sentBytes: 0, receivedBytes: 0 };

/**
 * Continues from the state of an earlier run, adding the bytes since then.
 *
 * On the same boot these are the increases of the counters, on a new boot the whole counters. An
 * interface that was not counted before adds its counters only if the machine was booted in this
 * period. Bytes of a stretch that includes a reset belong to the earlier period, unless the machine
 * was booted after the reset.
 */
export function continueCount(state: TrafficState, context: TrafficContext): TrafficCount {
  const { period, bootedAtMs, nowMs } = context;
  const sameBoot = isSameBoot(state, context.bootId);
  const bootedSince = bootedAtMs !== undefined && bootedAtMs >= period.startMs;
  const newBytes = (name: string, now: TrafficBytes): TrafficBytes => {
    if (!sameBoot) return now;
    const former = formerName(name, { state, context });
    if (former === undefined) return now;
    const last = state.interfaces.get(former);
    if (last !== undefined) return bytesSince(last, now);
    return bootedSince && period.start === state.current.start ? now : NOTHING;
  };
  const countedBytes = [...context.counters].reduce(
    (sum, [name, now]) => addBytes(sum, newBytes(name, now)),
    state.countedBytes,
  );
  const { current, others } = state;
  // With another day of reset, the total continues until the next reset.
  const periods = state.day === context.day
    ? { current, others }
    : { current: { ...current, start: period.start }, others: [] };
  const baseline = !sameBoot && bootedSince ? state.countedBytes : countedBytes;
  return {
    countedBytes,
    periods: advancePeriods(periods, {
      start: period.start,
      nowMs,
      countedBytes: baseline,
      earlierForMs: 0,
    }),
  };
}

/**
 * The name under which an interface is in the state: the one that had its index, on the same boot.
 * `undefined` when it was made after the one that had its name, which is gone.
 */
export function formerName(
  name: string,
  { state, context }: {
    state: Pick<TrafficState, "bootId" | "indexes">;
    context: Pick<TrafficContext, "bootId" | "indexes">;
  },
): string | undefined {
  const index = context.indexes.get(name);
  if (index === undefined || state.bootId === "" || state.bootId !== context.bootId) return name;
  const former = [...state.indexes].find(([, formerIndex]) => formerIndex === index);
  if (former !== undefined) return former[0];
  const ofItsName = state.indexes.get(name);
  return ofItsName !== undefined && ofItsName < index ? undefined : name;
}

/**
 * Starts without a state. The counters belong to this period if the machine was booted in it and after
 * the last entry of the official agent; otherwise their period is unknown and they are not counted.
 */
export function startCount(
  context: TrafficContext,
  official: NetStaticSum | undefined,
): TrafficCount {
  const { period, bootedAtMs = -Infinity } = context;
  const knownUntilMs = Math.max(period.startMs, official?.untilMs ?? -Infinity);
  const countedBytes = bootedAtMs >= knownUntilMs
    ? [...context.counters.values()].reduce(addBytes, NOTHING)
    : NOTHING;
  const before = bytesBetween(official ?? NOTHING, NOTHING);
  const current = { start: period.start, seenMs: context.nowMs, ...before };
  return { countedBytes, periods: { current, others: [] } };
}

/** Whether the counters may continue those of the state; true if either boot id is unknown. */
export function isSameBoot(state: TrafficState, bootId: string): boolean {
  return state.bootId === bootId || state.bootId === "" || bootId === "";
}

/** The bytes from one count to a later one; negative when that is lower. */
export function bytesBetween(from: TrafficBytes, to: TrafficBytes): TrafficBytes {
  return {
    sentBytes: to.sentBytes - from.sentBytes,
    receivedBytes: to.receivedBytes - from.receivedBytes,
  };
}

/** Adds two counts. */
export function addBytes(a: TrafficBytes, b: TrafficBytes): TrafficBytes {
  return {
    sentBytes: a.sentBytes + b.sentBytes,
    receivedBytes: a.receivedBytes + b.receivedBytes,
  };
}
