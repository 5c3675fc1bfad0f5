import { type MonthPeriod, monthPeriod } from "../parse/month_period.ts";

/** The clocks that a month is counted by. */
export interface MonthClocks {
  /** The clock on the wall, which may be wrong. */
  nowMs(): number;
  /** A clock that only runs forward. */
  monotonicMs(): number;
}

/** In which period the clock stands, and for how long it has stood before the one that counts. */
export class MonthClock {
  readonly #clocks: MonthClocks;
  readonly #day: number;
  #period: MonthPeriod | undefined;
  #earlierSinceMs: number | undefined;

  /** `day` is the one of the month, 1 to 31, on which a period begins. */
  constructor(day: number, clocks: MonthClocks) {
    this.#day = day;
    this.#clocks = clocks;
  }

  /** The moment, and the period that it lies in. */
  look(): { nowMs: number; period: MonthPeriod } {
    const nowMs = this.#clocks.nowMs();
    const known = this.#period;
    // A look at the calendar costs more than all the rest of a report's traffic.
    if (known !== undefined && nowMs >= known.startMs && nowMs < known.endMs) {
      return { nowMs, period: known };
    }
    const period = monthPeriod(nowMs, this.#day);
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
