import type { LoadAverage } from "../types.ts";
import { fractionBetween, lineAt, wordEnd } from "./scan.ts";

/**
 * Parses `/proc/loadavg`: runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes.
 *
 * @throws {SyntaxError} When it does not start with three numbers; the message quotes the line.
 */
export function parseLoadavg(text: string): LoadAverage {
  const first = wordEnd(text, 0);
  const second = wordEnd(text, first + 1);
  const third = wordEnd(text, second + 1);
  const oneMinute = fractionBetween(text, 0, first);
  const fiveMinutes = fractionBetween(text, first + 1, second);
  const fifteenMinutes = fractionBetween(text, second + 1, third);
  const isSpaced = text[first] === " " && text[second] === " ";
  if (
    !isSpaced || oneMinute === undefined || fiveMinutes === undefined ||
    fifteenMinutes === undefined
  ) {
    throw new SyntaxError(`Cannot parse loadavg: no three numbers in "${lineAt(text, 0)}"`);
  }
  return { oneMinute, fiveMinutes, fifteenMinutes };
}
