import { firstLine } from "./lines.ts";

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
