import { type Command, COMMANDS, isCommand, isGroup } from "./commands.ts";
import { didYouMean } from "./did_you_mean.ts";
import type { Option } from "./option.ts";
import { OPTION_ROWS, OPTIONS } from "./option_table.ts";
import { UsageError } from "./usage_error.ts";

/** A command line, split into command and options; no value is checked yet. */
export interface Arguments {
  readonly command: Command;
  /** Subject of the help: a command, a group of commands such as `traffic`, or empty for all. */
  readonly topic: string;
  /** Text of each given option by its row in the table. */
  readonly flags: ReadonlyMap<Option<unknown>, string>;
}

/**
 * Splits a command line.
 *
 * @throws {UsageError} For unknown flags and commands, and for flags without their value.
 */
export function parseArguments(args: readonly string[]): Arguments {
  const words: string[] = [];
  const given = new Map<Option<unknown>, string[]>();
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") {
      words.push(...rest);
      break;
    }
    if (!/^-./.test(arg)) {
      words.push(arg);
      continue;
    }
    const { option, value = takeValue(option, arg, rest) } = parseFlag(arg);
    given.set(option, [...given.get(option) ?? [], value]);
  }
  const flags = new Map<Option<unknown>, string>();
  for (const [option, values] of given) {
    flags.set(option, option.repeats ? values.join(option.separator) : values.at(-1) ?? "");
  }
  setPanels(flags, given.get(OPTIONS.endpoint) ?? [], given.get(OPTIONS.token) ?? []);
  return { ...parseCommand(words), flags };
}

/** The value of a flag that has none attached: the next word, which a token may begin with a dash. */
function takeValue(option: Option<unknown>, arg: string, rest: string[]): string {
  const [next] = rest;
  if (option.placeholder === undefined) {
    const isValue = next !== undefined && ["true", "false", "1", "0"].includes(next);
    return (isValue ? rest.shift() : undefined) ?? "true";
  }
  if (next === undefined || isKnownFlag(next)) {
    throw new UsageError(
      `Cannot use flag ${arg} alone: a value must follow it, as in ${arg} ${option.placeholder}`,
    );
  }
  rest.shift();
  return next;
}

/** Repeated endpoints and tokens are pairs; those after the first are further panels. */
function setPanels(
  flags: Map<Option<unknown>, string>,
  endpoints: readonly string[],
  tokens: readonly string[],
): void {
  if (endpoints.length < 2) return;
  if (endpoints.length !== tokens.length) {
    throw new UsageError(
      `Cannot pair ${endpoints.length} --endpoint with ${tokens.length} --token: ` +
        "each panel needs both",
    );
  }
  const [first, ...further] = endpoints.map((endpoint, at) => ({ endpoint, token: tokens[at] }));
  flags.set(OPTIONS.endpoint, first?.endpoint ?? "");
  flags.set(OPTIONS.token, first?.token ?? "");
  flags.set(OPTIONS.panels, JSON.stringify(further));
}

/**
 * The option of a word such as `--interval`, `--interval=3`, `-i`, `-i3` or `-i=3`, and the value
 * that is attached to it.
 */
function parseFlag(arg: string): { option: Option<unknown>; value?: string } {
  const [name = "", ...rest] = arg.split("=");
  const attached = rest.length === 0 ? undefined : rest.join("=");
  const exact = OPTION_ROWS.find(({ flag, short }) =>
    name === (flag && `--${flag}`) || name === (short && `-${short}`)
  );
  if (exact !== undefined) return { option: exact, value: attached };
  const short = OPTION_ROWS.find((row) => row.short && name.startsWith(`-${row.short}`));
  if (short?.placeholder === undefined) throw unknownFlag(arg);
  return { option: short, value: arg.slice(2) };
}

function isKnownFlag(arg: string): boolean {
  return arg.startsWith("--") && OPTION_ROWS.some((row) => row.flag === arg.slice(2));
}

function unknownFlag(arg: string): UsageError {
  const [name = ""] = arg.split("=");
  const known = OPTION_ROWS.flatMap((row) => row.flag === undefined ? [] : [`--${row.flag}`]);
  const hint = didYouMean(name, known) || "; --help lists them";
  return new UsageError(`Cannot use flag ${name}: there is none of that name${hint}`);
}

/** The command of one or two words; a group of commands alone asks for its help. */
function parseCommand(words: readonly string[]): Pick<Arguments, "command" | "topic"> {
  const [first, second] = words;
  if (first === undefined) return { command: "report", topic: "" };
  if (first === "help") {
    const topic = second === undefined ? "" : parseCommand(words.slice(1)).topic;
    return { command: "help", topic };
  }
  const isOne = isCommand(first);
  if (!isOne && isGroup(first) && second === undefined) return { command: "help", topic: first };
  const name = isOne || second === undefined ? first : `${first} ${second}`;
  if (!isCommand(name)) {
    const names = Object.keys(COMMANDS);
    const hint = didYouMean(name, names) || `; commands are ${names.join(", ")}`;
    throw new UsageError(`Cannot use command "${name}": there is none of that name${hint}`);
  }
  const extra = words[isOne ? 1 : 2];
  if (extra === undefined) return { command: name, topic: name };
  throw new UsageError(`Cannot use "${extra}": ${name} takes no more words`);
}
