import { attempt } from "../attempt.ts";

/** Files and connections that an agent has open at a time, at least. */
export const LEAST_DESCRIPTORS = 64;

/**
 * How many files and connections this process may have open at a time, by `/proc/self/limits`;
 * `undefined` where nothing says it, or it is not limited.
 */
export function descriptorLimit(): number | undefined {
  const text = attempt(() => Deno.readTextFileSync("/proc/self/limits")) ?? "";
  return parseDescriptorLimit(text);
}

/** The soft limit in the text of `/proc/PID/limits`. */
export function parseDescriptorLimit(text: string): number | undefined {
  const digits = /^Max open files +(\d{1,20}) /m.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
