import { lineAt } from "./scan.ts";

const PATTERN = /^(\d+(?:\.\d+)?)(?:\s|$)/;

/**
 * Parses `/proc/uptime`: seconds since boot, with a fraction.
 *
 * @throws {SyntaxError} When it does not start with a number; the message quotes the line.
 */
export function parseUptime(text: string): number {
  const seconds = Number(PATTERN.exec(text)?.[1]);
  if (!Number.isFinite(seconds)) {
    throw new SyntaxError(`Cannot parse uptime: no seconds in "${lineAt(text, 0)}"`);
  }
  return seconds;
}
