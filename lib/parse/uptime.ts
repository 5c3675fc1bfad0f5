import { fractionBetween, lineAt, wordEnd } from "./scan.ts";

/**
 * Parses `/proc/uptime`: seconds since boot, with a fraction.
 *
 * @throws {SyntaxError} When it does not start with a number; the message quotes it.
 */
export function parseUptime(text: string): number {
  const seconds = fractionBetween(text, 0, wordEnd(text, 0));
  if (seconds === undefined) {
    throw new SyntaxError(`Cannot parse uptime: no seconds in "${lineAt(text, 0)}"`);
  }
  return seconds;
}
