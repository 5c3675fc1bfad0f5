/**
 * What an option is, and the kinds of values that options take.
 *
 * @module
 */

/** One row of the option table: three names, one meaning. */
export interface Option<T> {
  /** Long flag without dashes; absent for what only the environment or the file can set. */
  readonly flag?: string;
  /** One-letter flag without its dash. */
  readonly short?: string;
  readonly variable?: string;
  /** Key in the JSON file. */
  readonly key?: string;
  /** What the value is called in the help; absent for a switch that needs none. */
  readonly placeholder?: string;
  readonly group: OptionGroup;
  readonly help: string;
  readonly initial: T;
  /** What `initial` is called in the help, when not by its own text. */
  readonly initialText?: string;
  /** Accepted because units written for the official agent have it, but without any effect yet. */
  readonly noEffect?: string;
  /** Never shown, not even when it is wrong. */
  readonly secret?: boolean;
  /** What stands between several values in one text. */
  readonly separator?: string;
  /** The flag may be given several times, a value each. */
  readonly repeats?: boolean;
  /** @throws {RangeError} When the text is no such value; the message says what is allowed. */
  parse(text: string): T;
}

/** The sections of the help, in their order. */
export const OPTION_GROUPS = [
  "Panel",
  "Way to the panel",
  "Reports",
  "What is measured",
  "Monthly traffic",
  "Public addresses",
  "Remote control",
  "Running",
  "Install",
  "Updates",
  "Demo",
  "Of the official agent, without effect here",
] as const;

/** A section of the help. */
export type OptionGroup = typeof OPTION_GROUPS[number];

type Row<T> = Omit<Option<T>, "parse" | "initial">;

/** Any text without control characters. */
export function text(row: Row<string>): Option<string> {
  return { placeholder: "TEXT", ...row, initial: "", parse: plain };
}

/** A switch: on when it stands alone, off by `false` or `0`. */
export function toggle(row: Row<boolean>): Option<boolean> {
  return {
    ...row,
    initial: false,
    parse(value) {
      if (value === "true" || value === "1") return true;
      if (value === "false" || value === "0") return false;
      throw new RangeError("true, false, 1 or 0");
    },
  };
}

/** A decimal number within bounds, both included. */
export function number(
  row: Row<number> & { initial: number; min: number; max: number; whole?: boolean },
): Option<number> {
  const { min, max, whole = false, ...option } = row;
  return {
    placeholder: "N",
    ...option,
    parse(value) {
      const parsed = /^\d+(\.\d+)?$/.test(value) ? Number(value) : NaN;
      if (!(parsed >= min && parsed <= max) || (whole && !Number.isInteger(parsed))) {
        throw new RangeError(`${whole ? "a whole number" : "a number"} from ${min} to ${max}`);
      }
      return parsed;
    },
  };
}

/** One of a few words. */
export function choice<const T extends string>(
  row: Row<T> & { initial: T; allowed: readonly T[] },
): Option<T> {
  const { allowed, ...option } = row;
  return {
    placeholder: allowed.join("|"),
    ...option,
    parse(value) {
      const found = allowed.find((word) => word === value);
      if (found === undefined) throw new RangeError(allowed.join(" or "));
      return found;
    },
  };
}

/** Words between separators; blanks around them and empty ones are dropped. */
export function list(
  row: Row<readonly string[]> & { separator: string },
): Option<readonly string[]> {
  const { separator } = row;
  return {
    placeholder: "LIST",
    ...row,
    initial: [],
    parse: (value) =>
      plain(value).split(separator).map((word) => word.trim()).filter((word) => word !== ""),
  };
}

/** Text that a function of the caller's checks. */
export function checked<T>(
  row: Row<T> & { initial: T; parse: (value: string) => T },
): Option<T> {
  const { parse, ...option } = row;
  return { placeholder: "TEXT", ...option, parse: (value) => parse(plain(value)) };
}

function plain(value: string): string {
  if (/\p{Cc}/u.test(value)) throw new RangeError("text without control characters");
  return value;
}
