import { firstLine } from "./lines.ts";

/**
 * Parses `/proc/uptime`: seconds since boot, with a fraction.
 *
 * @throws {SyntaxError} When it does not start with a number; the message quotes it.
 */
export function parseUptime(text: string): number {
  const seconds = /^\d/.test(text) ? Number(text.split(" ", 1)[0]) : NaN;
  if (!Number.isFinite(seconds)) {
    throw new SyntaxError(`Cannot parse uptime: no seconds in "${firstLine(text)}"`);
  }
  return seconds;
}
