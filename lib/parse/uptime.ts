import { firstLine } from "./bounded_text.ts";
import type { LoadAverage } from "../types.ts";

/**
 * Parses `/proc/uptime`: seconds since boot, with a fraction.
 *
 * @throws {SyntaxError} When it does not start with a number; the message quotes it.
 */
export function parseUptime(text: string): number {
  const seconds = /^(\d{1,15}(?:\.\d+)?)\s/.exec(text)?.[1];
  if (seconds === undefined) {
    throw new SyntaxError(`Cannot parse uptime: no seconds in "${firstLine(text)}"`);
  }
  return Number(seconds);
}

const AVERAGES = /^(\d{1,15}\.\d+) (\d{1,15}\.\d+) (\d{1,15}\.\d+)\s/;

/**
 * Parses `/proc/loadavg`: runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes.
 *
 * @throws {SyntaxError} When it does not start with three numbers; the message quotes the line.
 */
export function parseLoadavg(text: string): LoadAverage {
  const averages = AVERAGES.exec(text);
  if (averages === null) {
    throw new SyntaxError(`Cannot parse loadavg: no three numbers in "${firstLine(text)}"`);
  }
  return {
    oneMinute: Number(averages[1]),
    fiveMinutes: Number(averages[2]),
    fifteenMinutes: Number(averages[3]),
  };
}
