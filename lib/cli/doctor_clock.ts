/**
 * Words and advice of `doctor` on clocks that differ.
 *
 * @module
 */

import { setClockCommand } from "./doctor_commands.ts";
import { isInContainerImage } from "../host/this_program.ts";

/** Advice when the clocks of this machine and of the panel differ. */
export function clockAdvice(): string[] {
  if (isInContainerImage()) {
    return ["compare the clock of the machine that runs the container with the panel's: date"];
  }
  return [
    `compare both with a third: date; if this machine's is wrong: ${setClockCommand()}`,
    "if the panel's is wrong, set that",
  ];
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A difference of clocks in words: `42 s`, `15 min`, `3 h`, `400 days`. */
export function clockDifference(ms: number): string {
  const absolute = Math.abs(ms);
  const units: readonly (readonly [least: number, unit: number, name: string])[] = [
    [2 * DAY_MS, DAY_MS, "days"],
    [2 * HOUR_MS, HOUR_MS, "h"],
    [10 * MINUTE_MS, MINUTE_MS, "min"],
  ];
  const [, unit, name] = units.find(([least]) => absolute >= least) ?? [0, SECOND_MS, "s"];
  return `${Math.round(absolute / unit)} ${name}`;
}
