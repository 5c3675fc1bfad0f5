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

const FLAGS = OPTION_ROWS.flatMap(({ flag }) => flag ?? []);

/**
 * Splits a command line.
 *
 * @throws {UsageError} For unknown flags and commands, and for flags without their value.
 */
export function parseArguments(args: readonly string[]): Arguments {
  const attached = attachValues(args);
  const { _: words, ...given } = parseArgs(attached, {
    string: ["_", ...FLAGS],
    collect: FLAGS,
  });
  const flags = new Map<Option<unknown>, string>();
  for (const row of OPTION_ROWS) {
    const values = given[row.flag ?? ""] ?? [];
    if (values.length === 0) continue;
    flags.set(row, row.repeats ? values.join(row.separator) : values.at(-1) ?? "");
  }
  const parsed = parseCommand(words);
  const mayLackTokens = parsed.command === "install";
  const [first, ...further] = pairsOf(attached, { mayLackTokens });
  if (first !== undefined) {
    flags.set(OPTIONS.endpoint, first.endpoint);
    if (first.token === null) flags.delete(OPTIONS.token);
    else flags.set(OPTIONS.token, first.token);
    flags.set(OPTIONS.panels, JSON.stringify(further));
  }
  return { ...parsed, flags };
}

/**
 * Writes each flag as `--flag=value`, since a value that begins with a dash would be another flag to
 * `parseArgs()`.
 */
function attachValues(args: readonly string[]): string[] {
  const attached: string[] = [];
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") return [...attached, arg, ...rest];
    const [, name, equals, text = ""] = /^(-[^-=]|--[^=]+)(=?)(.*)$/s.exec(arg) ?? [];
    if (name === undefined) {
      attached.push(arg);
      continue;
    }
    const row = OPTION_ROWS.find(({ flag, short }) => [`--${flag}`, `-${short}`].includes(name));
    const isAttached = equals !== "" || text !== "";
    const isSwitch = row?.placeholder === undefined;
    if (row === undefined || (isSwitch && text !== "" && equals === "")) throw unknownFlag(arg);
    const [next = ""] = rest;
    if (isSwitch && !isAttached && /^(?:true|false|1|0)$/.test(next)) {
      throw new UsageError(
        `Cannot use ${arg} ${next}: a switch has its value after =, as in ${arg}=${next}`,
      );
    }
    const value = isAttached ? text : isSwitch ? "true" : takeValue(row, arg, rest);
    attached.push(`--${row.flag}=${value}`);
  }
  return attached;
}

/** The next word as the value of a flag. */
function takeValue({ placeholder }: Option<unknown>, arg: string, rest: string[]): string {
  const next = rest.shift();
  if (next === undefined || FLAGS.some((flag) => next === `--${flag}`)) {
    throw new UsageError(
      `Cannot use flag ${arg} alone: a value must follow it, as in ${arg} ${placeholder}`,
    );
  }
  return next;
}

interface Pair {
  readonly endpoint: string;
  /** `null` where it was left out. */
  token: string | null;
}

/**
 * Repeated endpoints and tokens as pairs, in their order; none for a single endpoint. Where tokens may
 * be left out, each follows its endpoint.
 *
 * @throws {UsageError} When they can't be paired.
 */
function pairsOf(
  attached: readonly string[],
  { mayLackTokens }: { mayLackTokens: boolean },
): readonly Pair[] {
  const given = attached.flatMap((word) => {
    const [, flag, value = ""] = /^--(endpoint|token)=(.*)$/s.exec(word) ?? [];
    return flag === undefined ? [] : [{ flag, value }];
  });
  const valuesOf = (name: string) => given.flatMap((it) => it.flag === name ? [it.value] : []);
  const [endpoints, tokens] = [valuesOf("endpoint"), valuesOf("token")];
  if (endpoints.length < 2) return [];
  if (endpoints.length === tokens.length) {
    return endpoints.map((endpoint, at) => ({ endpoint, token: tokens[at] ?? null }));
  }
  const pairs: Pair[] = [];
  for (const { flag, value } of given) {
    const last = pairs.at(-1);
    if (flag === "endpoint") pairs.push({ endpoint: value, token: null });
    else if (mayLackTokens && last?.token === null) last.token = value;
    else throw unpaired();
  }
  if (!mayLackTokens) throw unpaired();
  return pairs;

  function unpaired(): UsageError {
    return new UsageError(
      mayLackTokens
        ? `Cannot pair ${endpoints.length} --endpoint with ${tokens.length} --token: a token ` +
          "follows its endpoint"
        : `Cannot pair ${endpoints.length} --endpoint with ${tokens.length} --token: each panel ` +
          "needs both",
    );
  }
}

function unknownFlag(arg: string): UsageError {
  const [name = ""] = arg.split("=");
  const hint = didYouMean(name, FLAGS.map((flag) => `--${flag}`)) || "; --help lists them";
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
