import type { MonthPeriod } from "../parse/month_period.ts";
import type { MonthState } from "../parse/month_state.ts";
import type { NetStaticSum } from "../parse/net_static.ts";
import type { BothWays } from "../types.ts";
import { type MonthMarks, turnMarks } from "./month_marks.ts";
import { broughtAlong } from "./traffic_sum.ts";

/** What a machine's traffic looks like when the month is taken up. */
export interface MonthSight {
  readonly day: number;
  readonly nowMs: number;
  readonly period: MonthPeriod;
  readonly bootId: string;
  /** By the same clock as `nowMs`; `undefined` where the kernel does not tell. */
  readonly bootedAtMs: number | undefined;
  /** The present counters of what is counted. */
  readonly counters: ReadonlyMap<string, BothWays>;
}

/** How much has passed in all, and when the periods began. */
export interface MonthCount {
  readonly passed: BothWays;
  readonly marks: MonthMarks;
}

const NOTHING: BothWays = { sentBytes: 0, receivedBytes: 0 };

/**
 * Goes on from what an earlier run has left: what passed since then is counted.
 *
 * On the same boot that is what the counters grew by, on a new one all that they show. An interface
 * that was not counted before brings its bytes along only where the machine was booted in this
 * period. What passed over a reset without anybody to see when belongs to the period before, unless
 * the machine was booted since.
 */
export function continueMonth(state: MonthState, sight: MonthSight): MonthCount {
  const { period, bootedAtMs, nowMs } = sight;
  const sameBoot = isSameBoot(state, sight.bootId);
  const bootedSince = bootedAtMs !== undefined && bootedAtMs >= period.startMs;
  const brought = (name: string, now: BothWays): BothWays => {
    const last = sameBoot ? state.interfaces.get(name) : undefined;
    if (last === undefined && sameBoot) {
      return bootedSince && period.start === state.current.start ? now : NOTHING;
    }
    return broughtAlong(last, now);
  };
  const passed = [...sight.counters].reduce(
    (sum, [name, now]) => add(sum, brought(name, now)),
    state.passed,
  );
  const { current, others } = state;
  // Whoever chooses another day keeps what the last reset has left, up to the next one.
  const marks = state.day === sight.day
    ? { current, others }
    : { current: { ...current, start: period.start }, others: [] };
  const begins = !sameBoot && bootedSince ? state.passed : passed;
  return {
    passed,
    marks: turnMarks(marks, { start: period.start, nowMs, passed: begins, earlierForMs: 0 }),
  };
}

/**
 * Begins without any state. What the counters show is of this period when the machine was booted in
 * it, and after the last of what the official agent has counted; else it is not known, and left out.
 */
export function beginMonth(sight: MonthSight, official: NetStaticSum | undefined): MonthCount {
  const { period, bootedAtMs = -Infinity } = sight;
  const knownUntilMs = Math.max(period.startMs, official?.untilMs ?? -Infinity);
  const passed = bootedAtMs >= knownUntilMs
    ? [...sight.counters.values()].reduce(add, NOTHING)
    : NOTHING;
  const current = {
    start: period.start,
    seenMs: sight.nowMs,
    sentBytes: 0 - (official?.sentBytes ?? 0),
    receivedBytes: 0 - (official?.receivedBytes ?? 0),
  };
  return { passed, marks: { current, others: [] } };
}

/** Whether counters can go on from the state's; where no boot has a name, they show it themselves. */
export function isSameBoot(state: MonthState, bootId: string): boolean {
  return state.bootId === bootId || state.bootId === "" || bootId === "";
}

function add(a: BothWays, b: BothWays): BothWays {
  return {
    sentBytes: a.sentBytes + b.sentBytes,
    receivedBytes: a.receivedBytes + b.receivedBytes,
  };
}
