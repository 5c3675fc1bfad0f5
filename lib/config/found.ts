import { UsageError } from "../errors.ts";
import type { Option } from "./option.ts";

/** Where a value was found; the order is the order of precedence. */
export interface Found {
  readonly text: string;
  readonly origin: string;
  readonly rank: 0 | 1 | 2;
}

/** Looks an option up in all places, the strongest first. */
export type Find = (option: Option<unknown>) => Found | undefined;

/** @throws {UsageError} One line that names the option, where it came from, and what is allowed. */
export function parseFound<T>(option: Option<T>, found: Found): T {
  try {
    return option.parse(found.text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const value = option.secret ? "its value" : JSON.stringify(found.text);
    throw new UsageError(
      `Cannot use ${value} for ${found.origin}: allowed is ${error.message}`,
      { cause: error },
    );
  }
}
