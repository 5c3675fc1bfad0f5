import type { LoadAverage } from "../types.ts";
import { lineAt } from "./scan.ts";

const PATTERN = /^(\d+(?:\.\d+)?) (\d+(?:\.\d+)?) (\d+(?:\.\d+)?)(?:\s|$)/;

/**
 * Parses `/proc/loadavg`: runnable and uninterruptible tasks, averaged over 1, 5 and 15 minutes.
 *
 * @throws {SyntaxError} When it does not start with three numbers; the message quotes the line.
 */
export function parseLoadavg(text: string): LoadAverage {
  const match = PATTERN.exec(text);
  const load = {
    oneMinute: Number(match?.[1]),
    fiveMinutes: Number(match?.[2]),
    fifteenMinutes: Number(match?.[3]),
  };
  if (!Number.isFinite(load.oneMinute + load.fiveMinutes + load.fifteenMinutes)) {
    throw new SyntaxError(`Cannot parse loadavg: no three numbers in "${lineAt(text, 0)}"`);
  }
  return load;
}
