import type { LoadAverage } from "../types.ts";
import { firstLine } from "./lines.ts";

/**
 * Parses `/proc/loadavg`: runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes.
 *
 * @throws {SyntaxError} When it does not start with three numbers; the message quotes the line.
 */
export function parseLoadavg(text: string): LoadAverage {
  const [oneMinute = NaN, fiveMinutes = NaN, fifteenMinutes = NaN] = text.split(" ", 3).map(Number);
  const isValid = [oneMinute, fiveMinutes, fifteenMinutes].every((it) => it >= 0 && it < Infinity);
  if (!isValid) {
    throw new SyntaxError(`Cannot parse loadavg: no three numbers in "${firstLine(text)}"`);
  }
  return { oneMinute, fiveMinutes, fifteenMinutes };
}
