import { UsageError } from "./usage_error.ts";
import type { Option } from "./option.ts";

/** Where a value was found; the order of ranks is the order of precedence. */
export interface Found {
  readonly text: string;
  /** The option as it is written there, such as `--interval`, `AGENT_INTERVAL` or `interval`. */
  readonly name: string;
  /** The place in words. */
  readonly origin: string;
  readonly rank: 0 | 1 | 2 | 3;
}

/** Looks an option up in all places, the strongest first. */
export type Find = (option: Option<unknown>) => Found | undefined;

/** An option's value, or its default. @throws {UsageError} When it can't be used. */
export type PickValue = <T>(option: Option<T>) => T;

/** @throws {UsageError} One line that names the option, where it came from, and what is allowed. */
export function parseFound<T>(option: Option<T>, found: Found): T {
  try {
    return option.parse(found.text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const what = option.secret
      ? `the value of ${found.origin}`
      : `${JSON.stringify(found.text)} for ${found.origin}`;
    throw new UsageError(`Cannot use ${what}: allowed is ${error.message}`, { cause: error });
  }
}
