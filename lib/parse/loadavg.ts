import type { LoadAverage } from "../types.ts";
import { firstLine } from "./lines.ts";

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
