/** The time from one reset of the month's traffic to the next, in local time. */
export interface MonthPeriod {
  /** The day it begins, as `2026-11-01`: the same in every time zone, and in the order of time. */
  readonly start: string;
  /** Milliseconds since 1970. */
  readonly startMs: number;
  /** When the next one begins; not part of this one. */
  readonly endMs: number;
}

/** The years that a clock is believed to show; what lies beyond is taken for the nearest of them. */
const CLOCK = { firstMs: Date.UTC(1900, 0, 2), lastMs: Date.UTC(9000, 0, 1) };

/**
 * The period that a moment lies in when the traffic starts anew on `day` (1 to 31).
 *
 * In a month that doesn't have the day it starts anew on the first of the next.
 */
export function monthPeriod(nowMs: number, day: number): MonthPeriod {
  const believedMs = Math.min(Math.max(nowMs, CLOCK.firstMs), CLOCK.lastMs);
  const now = new Date(believedMs);
  const year = now.getFullYear();
  let month = now.getMonth();
  if (resetIn(year, month, day).getTime() > believedMs) month--;
  const start = resetIn(year, month, day);
  const startMs = start.getTime();
  return { start: dateText(start), startMs, endMs: resetIn(year, month + 1, day).getTime() };
}

/** The reset that belongs to a month; months count on across years. */
function resetIn(year: number, month: number, day: number): Date {
  const date = new Date(year, month, day);
  const inMonth = date.getMonth() === ((month % 12) + 12) % 12;
  return inMonth ? date : new Date(year, month + 1, 1);
}

function dateText(date: Date): string {
  const parts = [date.getMonth() + 1, date.getDate()];
  const [month, day] = parts.map((part) => String(part).padStart(2, "0"));
  return `${date.getFullYear()}-${month}-${day}`;
}
