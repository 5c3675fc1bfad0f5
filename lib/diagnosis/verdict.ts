/**
 * The verdict on an agent's reports to one panel, by what its health file says.
 *
 * @module
 */

import { duration } from "../parse/quantity.ts";
import { diagnosisLine, LOOK } from "./diagnose.ts";

/** What is known of the reports to one panel. */
export interface ReportState {
  readonly panel: string;
  /** When the agent has started, and a report was accepted last, in milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly acceptedAtMs?: number | undefined;
  /** Whether no transport works now. */
  readonly isOutage: boolean;
  /** Older reports are no sign of life. */
  readonly withinMs: number;
  readonly failure?: { readonly text: string; readonly action?: string | undefined } | undefined;
}

/** Whether the panel takes reports. */
export function isReportingTo(state: ReportState, nowMs: number): boolean {
  const { acceptedAtMs = -Infinity, isOutage, withinMs } = state;
  return !isOutage && Math.abs(nowMs - acceptedAtMs) <= withinMs;
}

/** The verdict in one line; the name of the only panel says nothing where nothing is reported. */
export function verdictOn(
  state: ReportState,
  { nowMs, isOnly }: { nowMs: number; isOnly: boolean },
): string {
  const { panel, startedAtMs, acceptedAtMs, failure } = state;
  if (isReportingTo(state, nowMs)) {
    return `OK: reporting to ${panel}, the last report ${
      duration(nowMs - (acceptedAtMs ?? nowMs))
    } ago`;
  }
  const { text: reason, action = LOOK } = failure ??
    { text: "no failure was seen, and no report was accepted" };
  return notReporting(
    { reason, action },
    { panel: isOnly ? undefined : panel, sinceMs: Math.max(acceptedAtMs ?? 0, startedAtMs), nowMs },
  );
}

/** That nothing is reported, and why; for how long, and to whom, as far as that is known. */
export function notReporting(
  { reason, action = LOOK }: { reason: string; action?: string | undefined },
  { panel, sinceMs, nowMs = 0 }: { panel?: string | undefined; sinceMs?: number; nowMs?: number } =
    {},
): string {
  const whom = panel === undefined ? "" : ` to ${panel}`;
  const time = sinceMs === undefined ? "" : ` for ${duration(nowMs - sinceMs)}`;
  return `NOT REPORTING${whom}${time}: ${diagnosisLine({ reason, action })}`;
}
