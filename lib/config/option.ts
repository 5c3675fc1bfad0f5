/**
 * A row of the option table, the kinds of values that options take, and the layers that set them.
 *
 * @module
 */

import { redactUrl } from "../log/redact.ts";
import { type Command, commandsThatTake, type OptionSet } from "./commands.ts";
import { parseGlob } from "../parse/glob.ts";
import { expected, isLikeToken } from "./parsers.ts";
import { UsageError } from "./usage_error.ts";

/**
 * What is special about an option: it says who the panels are; root goes by it, so the record of an
 * installation has it; it is about the servers of releases; it says where other options are; it
 * is about output only.
 */
export type Tag = "panel" | "root" | "release" | "location" | "output";

/** One row of the option table: three names, one meaning. */
export interface Option<T> {
  /** Long flag without dashes; absent if only the environment or the file can set it. */
  readonly flag?: string;
  /** One-letter flag without its dash. */
  readonly short?: string;
  /** Absent, as is the key, if only a flag can set it. */
  readonly variable?: string;
  /** Key in the JSON file: the variable without `AGENT_`, in small letters. */
  readonly key?: string;
  /** Name of the value in the help; absent for a switch. */
  readonly placeholder?: string;
  readonly group: OptionGroup;
  /** The commands that take it, if not all of its group. */
  readonly commands?: readonly Command[] | OptionSet;
  readonly tags?: readonly Tag[];
  readonly help: string;
  /** Value when nothing sets the option. */
  readonly initial: T;
  /** The default in the help, when it is not the text of `initial`. */
  readonly initialText?: string;
  /** Why it has no effect; it is accepted because units of the official agent have it. */
  readonly noEffect?: string;
  /** Never shown, not even when it is wrong. */
  readonly secret?: boolean;
  /** Text between several values. */
  readonly separator?: string;
  /** Whether `off` is a value of its own, and not the default. */
  readonly hasOff?: boolean;
  /** Whether the agent needs a value, so that an empty one is a mistake. */
  readonly isRequired?: boolean;
  /** Whether the flag may be given several times, with one value each. */
  readonly repeats?: boolean;
  /** @throws {RangeError} If the text is no such value; the message says what is allowed. */
  parse(text: string): T;
}

/** Sections of the help in their order, and the commands that take their options. */
export const OPTION_GROUPS = {
  panel: { title: "Panel", commands: "agent" },
  connection: { title: "Connection to the panel", commands: "agent" },
  reports: { title: "Reports", commands: "measured" },
  measured: { title: "Metrics", commands: "measured" },
  month: { title: "Monthly traffic", commands: "month" },
  addresses: { title: "Public addresses", commands: "measured" },
  remote: { title: "Remote control", commands: "measured" },
  general: { title: "General", commands: undefined },
  install: { title: "Install", commands: ["install"] },
  updates: { title: "Updates", commands: "updates" },
  demo: { title: "Demo", commands: ["demo"] },
  official: { title: "Without effect here", commands: undefined },
} as const satisfies Readonly<
  Record<string, { title: string; commands: readonly Command[] | OptionSet | undefined }>
>;

/** A section of the help. */
export type OptionGroup = keyof typeof OPTION_GROUPS;

/** Commands that take an option; `undefined` for all. */
export function commandsOf(option: Option<unknown>): readonly Command[] | undefined {
  const commands = option.commands ?? OPTION_GROUPS[option.group].commands;
  return typeof commands === "string" ? commandsThatTake(commands) : commands;
}

/**
 * A row as it is written in the table. `variable` is absent where it follows from the flag, and
 * `false` for an option that only a flag can set.
 */
type Row<T> =
  & Partial<Pick<Option<T>, "commands" | "tags" | "initialText" | "secret" | "separator">>
  & Partial<Pick<Option<T>, "hasOff" | "isRequired" | "repeats" | "noEffect">>
  & { readonly variable?: string | false };

/** `-c, --flag VALUE`: all but the value may be absent, or the value. */
const USAGE = /^(?:-(\w), )?(?:--([\w-]+))? ?(.+)?$/;

/** Makes the rows of a group, by the kinds of their values. */
export class OptionRows {
  readonly #group: OptionGroup;
  readonly #options: { hasVariables?: boolean; commands?: readonly Command[] };

  /**
   * @param options `hasVariables`: `false` if only flags can set the options. `commands`: those that
   * take them, if not all of the group.
   */
  constructor(
    group: OptionGroup,
    options: { hasVariables?: boolean; commands?: readonly Command[] } = {},
  ) {
    this.#group = group;
    this.#options = options;
  }

  #define<T>(
    usage: string,
    help: string,
    { variable: named, ...rest }: Row<T> & Value<T>,
    usual?: string,
  ): Option<T> {
    const { hasVariables = true, commands } = this.#options;
    const [, short, flag, placeholder = usual] = USAGE.exec(usage) ?? [];
    const row = { short, flag, placeholder, help, commands, ...rest, group: this.#group };
    if (named === false || !hasVariables) return row;
    const variable = named ?? `AGENT_${row.flag?.replaceAll("-", "_").toUpperCase()}`;
    return { ...row, variable, key: variable.replace(/^AGENT_/, "").toLowerCase() };
  }

  /** Text without control characters that `parse` checks, if it is there. */
  text(
    usage: string,
    help: string,
    row: Row<string> & { parse?: (text: string) => string } = {},
  ): Option<string> {
    return this.checked(usage, help, { parse: (value) => value, ...row, initial: "" });
  }

  /** An option of the official agent that is accepted without effect. */
  ignored(
    usage: string,
    noEffect = "this agent has no such function",
  ): Option<string | boolean> {
    const help = "Option of the official agent";
    return / [A-Z]+$/.test(usage)
      ? this.text(usage, help, { noEffect })
      : this.toggle(usage, help, { noEffect });
  }

  /** A switch: on when it stands alone, off by `false` or `0`. */
  toggle(usage: string, help: string, row: Row<boolean> = {}): Option<boolean> {
    return this.#define(usage, help, { ...row, initial: false, parse: parseSwitch });
  }

  /** A switch that turns something off: its value is `true` unless the flag is given. */
  toggleOff(usage: string, help: string, row: Row<boolean> = {}): Option<boolean> {
    return this.#define(usage, help, {
      ...row,
      initial: true,
      parse: (value) => !parseSwitch(value),
    });
  }

  /** A switch whose absence means neither on nor off. */
  optionalToggle(usage: string, help: string): Option<boolean | undefined> {
    return this.#define(usage, help, { initial: undefined, parse: parseSwitch });
  }

  /** A decimal number within bounds, both included. */
  number<const T extends number | undefined>(
    usage: string,
    help: string,
    { min, max, whole = false, ...row }: Row<number | T> & {
      initial: T;
      min: number;
      max: number;
      whole?: boolean;
    },
  ): Option<number | T> {
    return this.#define<number | T>(usage, help, {
      ...row,
      parse(value) {
        const parsed = /^\d+(\.\d+)?$/.test(value) ? Number(value) : NaN;
        const isRight = parsed >= min && parsed <= max && (!whole || Number.isInteger(parsed));
        expected(isRight, `${whole ? "a whole number" : "a number"} from ${min} to ${max}`);
        return parsed;
      },
    }, "N");
  }

  /** One of a few values. */
  choice<const T extends string | number, const U extends T | undefined>(
    usage: string,
    help: string,
    { allowed, ...row }: Row<T | U> & { initial: U; allowed: readonly T[] },
  ): Option<T | U> {
    return this.#define<T | U>(usage, help, {
      ...row,
      parse(value) {
        const found = allowed.find((word) => String(word) === value);
        expected(found !== undefined, allowed.join(" or "));
        return found;
      },
    }, allowed.join("|"));
  }

  /** Words between separators, each of which `check` takes; blanks around them and empty ones are dropped. */
  list(
    usage: string,
    help: string,
    { check = () => {}, ...row }: Row<readonly string[]> & {
      separator: string;
      check?: (word: string) => void;
    },
  ): Option<readonly string[]> {
    const parse = (value: string) => {
      const words = wordsOf(value, row.separator);
      for (const word of words) check(word);
      return words;
    };
    return this.checked(usage, help, { ...row, initial: [], parse }, "LIST");
  }

  /** Patterns between commas, as {@linkcode matchesGlob} takes them. */
  globs(usage: string, help: string, row: Row<readonly string[]> = {}): Option<readonly string[]> {
    return this.list(usage, help, { ...row, separator: ",", check: requireGlob });
  }

  /** The result of `parse` for a text. */
  checked<T>(usage: string, help: string, row: Row<T> & Value<T>, usual = "TEXT"): Option<T> {
    return this.#define<T>(usage, help, {
      ...row,
      parse(value) {
        const isPlain = row.separator === "\n" || !/\p{Cc}/u.test(value);
        expected(isPlain, "text without control characters");
        return row.parse(value);
      },
    }, usual);
  }
}

/** @throws {RangeError} If the pattern is malformed. */
function requireGlob(glob: string): void {
  try {
    parseGlob(glob);
  } catch (error) {
    const why = error instanceof Error ? error.message : "";
    throw new RangeError(`well-formed patterns (${why}: ${glob})`);
  }
}

function wordsOf(value: string, separator: string): string[] {
  return value.split(separator).map((word) => word.trim()).filter((word) => word !== "");
}

type Value<T> = Pick<Option<T>, "initial" | "parse">;

/** Whether a switch is on. @throws {RangeError} If the text is neither on nor off. */
export function parseSwitch(value: string): boolean {
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw new RangeError("true, false, 1 or 0");
}

/** Options by the keys of the configuration file, as the text a flag would have. */
export type OptionTexts = ReadonlyMap<string, string>;

/** One origin of options: the flags, the variables, a file, the record or the official agent. */
export interface Layer {
  /** `null` returns an option to its default, whatever weaker layers say. */
  readonly texts: ReadonlyMap<Option<unknown>, string | null>;
  nameOf(option: Option<unknown>): Pick<FoundOption, "name" | "origin">;
}

/** An option that was set, and where. */
export interface FoundOption {
  readonly text: string;
  /** The option as it is written there, such as `--interval`, `AGENT_INTERVAL` or `interval`. */
  readonly name: string;
  /** The layer in words, such as `flag --interval`. */
  readonly origin: string;
  /** Strength of the layer: 0 is the strongest. */
  readonly rank: number;
}

/** Whether a text stands for the default: an empty one, and `off` where a value may be absent. */
export function isDefaultText(
  { placeholder, initial, hasOff = false, isRequired = false }: Option<unknown>,
  text: string,
): boolean {
  if (placeholder === undefined || isRequired) return false;
  const isAbsent = initial === undefined || initial === "" || initial === 0 ||
    (Array.isArray(initial) && initial.length === 0);
  return text === "" || (text === "off" && isAbsent && !hasOff);
}

/** @throws {UsageError} One line that names the option, its layer, and what is allowed. */
export function parseOption<T>(option: Option<T>, { text, origin }: FoundOption): T {
  try {
    return option.parse(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const use = option.secret || (option.tags?.includes("panel") && isLikeToken(text))
      ? `Cannot use the value of ${origin}`
      : `Cannot use ${JSON.stringify(redactUrl(text))} for ${origin}`;
    throw new UsageError(`${use}: expected ${error.message}`, { cause: error });
  }
}
