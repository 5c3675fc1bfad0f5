import type { Option } from "./option.ts";
import { OPTIONS } from "./option_table.ts";
import { UsageError } from "./usage_error.ts";

/**
 * The name nearest to a misspelt one, as a hint for the end of a sentence; empty when none is near.
 *
 * Written out here because the standard library's `closestString` keeps a table of four megabytes
 * from its import on, in an agent that runs for years and hints once.
 */
export function didYouMean(word: string, names: readonly string[]): string {
  let nearest = "";
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    const distance = editDistance(word, name);
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  return nearest === "" ? "" : `; did you mean ${nearest}?`;
}

/** How many letters have to be added, dropped or replaced to make one word of the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1];
    for (let column = 0; column < to.length; column++) {
      const replaced = (row[column] ?? 0) + (from[index] === to[column] ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** What the program can be told to do; `report` is what it does without a word. */
export const COMMANDS = [
  "report",
  "demo",
  "traffic show",
  "traffic set",
  "install",
  "uninstall",
  "health",
  "update",
  "version",
] as const;

/** A command of the program. */
export type Command = typeof COMMANDS[number];

/** The command line, taken apart but not yet understood. */
export interface Arguments {
  readonly command: Command;
  /** Text of each given option by its row in the table. */
  readonly flags: ReadonlyMap<Option<unknown>, string>;
}

const ROWS: readonly Option<unknown>[] = Object.values(OPTIONS);

/**
 * Takes the command line apart.
 *
 * Written out here because ready-made parsers take a token that begins with a dash for a flag, and
 * the official agent's units have such tokens.
 *
 * @throws {UsageError} For unknown flags and commands, and for flags without their value.
 */
export function parseArguments(args: readonly string[]): Arguments {
  const flags = new Map<Option<unknown>, string>();
  function set(option: Option<unknown>, value: string): void {
    const before = option.repeats ? flags.get(option) : undefined;
    flags.set(option, before === undefined ? value : `${before}${option.separator}${value}`);
  }
  let command: Command | undefined;
  /** What was said of a command so far: some have two words. */
  let words: string | undefined;
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (!arg.startsWith("-")) {
      if (command !== undefined) {
        throw new UsageError(`Cannot use "${arg}": ${command} takes no more words`);
      }
      words = words === undefined ? arg : `${words} ${arg}`;
      if (COMMANDS.some((known) => known.startsWith(`${words} `))) continue;
      command = parseCommand(words);
      continue;
    }
    const { option, attached } = findFlag(arg);
    if (attached !== undefined) {
      set(option, attached);
    } else if (option.placeholder === undefined) {
      const next = args[index + 1] ?? "";
      const spelt = ["true", "false", "1", "0"].includes(next);
      flags.set(option, spelt ? next : "true");
      if (spelt) index++;
    } else {
      const value = args[++index];
      if (value === undefined || isKnownFlag(value)) {
        throw new UsageError(
          `Cannot use flag ${arg} alone: a value must follow it, as in ${arg} ${option.placeholder}`,
        );
      }
      set(option, value);
    }
  }
  command ??= words === undefined ? "report" : parseCommand(words);
  return { command, flags };
}

function parseCommand(word: string): Command {
  const found = COMMANDS.find((command) => command === word);
  if (found === undefined) {
    const hint = didYouMean(word, COMMANDS) || `; commands are ${COMMANDS.join(", ")}`;
    throw new UsageError(`Cannot use command "${word}": there is none of that name${hint}`);
  }
  return found;
}

function isKnownFlag(arg: string): boolean {
  return arg.startsWith("--") && ROWS.some((row) => row.flag === arg.slice(2));
}

function findFlag(arg: string): { option: Option<unknown>; attached: string | undefined } {
  const equals = arg.indexOf("=");
  const name = equals === -1 ? arg : arg.slice(0, equals);
  const attached = equals === -1 ? undefined : arg.slice(equals + 1);
  const long = ROWS.find((row) => row.flag !== undefined && `--${row.flag}` === name);
  if (long !== undefined) return { option: long, attached };
  const short = ROWS.find((row) => row.short !== undefined && name.startsWith(`-${row.short}`));
  if (short !== undefined && name.length === 2) return { option: short, attached };
  if (short?.placeholder !== undefined) return { option: short, attached: arg.slice(2) };
  const known = ROWS.flatMap((row) => row.flag === undefined ? [] : [`--${row.flag}`]);
  throw new UsageError(
    `Cannot use flag ${name}: there is none of that name${
      didYouMean(name, known) || "; --help lists them"
    }`,
  );
}
