import { parseArgs } from "@std/cli/parse-args";
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
  const named = OPTION_ROWS.filter((row) => row.flag !== undefined);
  const parsed = parseArgs(attachValues(args), {
    string: ["_", ...named.map(({ flag = "" }) => flag)],
    collect: named.filter((row) => row.repeats || PAIRED.includes(row))
      .map(({ flag = "" }) => flag),
  });
  const flags = new Map<Option<unknown>, string>();
  for (const option of named) {
    const value = parsed[option.flag ?? ""];
    if (PAIRED.includes(option)) continue;
    const text = Array.isArray(value) && value.length > 0 ? value.join(option.separator) : value;
    if (typeof text === "string") flags.set(option, text);
  }
  setPanels(flags, { endpoints: words(parsed.endpoint), tokens: words(parsed.token) });
  return { ...parseCommand(parsed._), flags };
}

/** Options that name a panel together, and may be given once per panel. */
const PAIRED: readonly Option<unknown>[] = [OPTIONS.endpoint, OPTIONS.token];

function words(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** The first pair is the panel itself, the others are further panels. */
function setPanels(
  flags: Map<Option<unknown>, string>,
  { endpoints, tokens }: { endpoints: readonly string[]; tokens: readonly string[] },
): void {
  if (endpoints.length > 1 && endpoints.length !== tokens.length) {
    throw new UsageError(
      `Cannot pair ${endpoints.length} --endpoint with ${tokens.length} --token: ` +
        "each panel needs both",
    );
  }
  const endpoint = endpoints[0];
  // The last token counts where there is one panel, as with every other option.
  const token = endpoints.length > 1 ? tokens[0] : tokens.at(-1);
  if (endpoint !== undefined) flags.set(OPTIONS.endpoint, endpoint);
  if (token !== undefined) flags.set(OPTIONS.token, token);
  if (endpoints.length < 2) return;
  const further = endpoints.slice(1).map((url, at) => ({ endpoint: url, token: tokens[at + 1] }));
  flags.set(OPTIONS.panels, JSON.stringify(further));
}

/**
 * The same arguments with `=` between each known flag and its value, and with long flags only.
 *
 * `parseArgs` takes any word that begins with a dash for a flag, but a token may begin with one. It
 * also takes any value of a switch other than `false` for `true`.
 */
function attachValues(args: readonly string[]): string[] {
  const attached: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (arg === "--") return [...attached, ...args.slice(index)];
    const { option, value } = parseFlag(arg);
    if (option === undefined) {
      // `parseArgs` would take `--no-gpu=1` for `--gpu=1`.
      if (/^-./.test(arg)) throw unknownFlag(arg);
      attached.push(arg);
    } else if (value !== undefined) attached.push(`--${option.flag}=${value}`);
    else if (option.placeholder === undefined) {
      const next = args[index + 1] ?? "";
      const isValue = ["true", "false", "1", "0"].includes(next);
      if (isValue) index++;
      attached.push(`--${option.flag}=${isValue ? next : "true"}`);
    } else {
      const next = args[++index];
      if (next === undefined || isKnownFlag(next)) {
        throw new UsageError(
          `Cannot use flag ${arg} alone: a value must follow it, as in ${arg} ${option.placeholder}`,
        );
      }
      attached.push(`--${option.flag}=${next}`);
    }
  }
  return attached;
}

/** The option of a word such as `--interval`, `--interval=3`, `-i`, `-i3` or `-i=3`. */
function parseFlag(arg: string): { option?: Option<unknown>; value?: string } {
  const [name = "", ...rest] = arg.split("=");
  const value = rest.length === 0 ? undefined : rest.join("=");
  const long = OPTION_ROWS.find((row) => row.flag !== undefined && `--${row.flag}` === name);
  if (long !== undefined) return { option: long, value };
  const short = OPTION_ROWS.find((row) =>
    row.short !== undefined && name.startsWith(`-${row.short}`)
  );
  if (short !== undefined && name.length === 2) return { option: short, value };
  return short?.placeholder === undefined ? {} : { option: short, value: arg.slice(2) };
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
