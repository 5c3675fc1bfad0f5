/**
 * Differences of clocks, and how a clock is set.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { type Finding, ok, skipped, warning } from "./check.ts";

/** By more, certificates and panels may take this machine's date for wrong. */
const MAX_DIFFERENCE_MS = 30_000;
const [SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS] = [1_000, 60_000, 3_600_000, 86_400_000];

/** A difference of clocks in words: `42 s`, `15 min`, `3 h`, `400 days`. */
export function clockDifference(ms: number): string {
  const absolute = Math.abs(ms);
  if (absolute >= 2 * DAY_MS) return `${Math.round(absolute / DAY_MS)} days`;
  if (absolute >= 2 * HOUR_MS) return `${Math.round(absolute / HOUR_MS)} h`;
  if (absolute >= 10 * MINUTE_MS) return `${Math.round(absolute / MINUTE_MS)} min`;
  return `${Math.round(absolute / SECOND_MS)} s`;
}

/** The command that sets this machine's clock, from now on. */
export function setClock(): string {
  if (isInContainerImage()) return "date, on the machine that runs the container";
  return attempt(() => Deno.statSync("/run/openrc").isDirectory)
    ? "rc-service chronyd start; rc-update add chronyd"
    : "timedatectl set-ntp true, which needs chrony or systemd-timesyncd";
}

/** Judges the difference between the panel's clock and ours, by the date of an answer. */
export function judgeClock(errorMs: number | undefined): Finding {
  if (errorMs === undefined) return skipped("the panel sends no date");
  // The header has whole seconds.
  if (Math.abs(errorMs) < 1_500) return ok("the same as the panel's");
  const text = `${clockDifference(errorMs)} ${errorMs > 0 ? "behind" : "ahead of"} the panel's`;
  return Math.abs(errorMs) <= MAX_DIFFERENCE_MS ? ok(text) : warning(
    text,
    `compare both with a third: date; if this machine's is wrong: ${setClock()}`,
    "if the panel's is wrong, set that",
  );
}
