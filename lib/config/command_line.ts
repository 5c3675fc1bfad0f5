import { redactUrl } from "../log/redact.ts";
import { type Command, COMMANDS, isCommand, isGroup } from "./commands.ts";
import type { Option } from "./option.ts";
import { OPTION_ROWS, OPTIONS } from "./option_table.ts";
import { isLikeToken } from "./parsers.ts";
import { didYouMean, UsageError } from "./usage_error.ts";

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
  const end = attached.indexOf("--");
  const [before, after] = end < 0
    ? [attached, []]
    : [attached.slice(0, end), attached.slice(end + 1)];
  const words = [...before.filter((word) => !word.startsWith("--")), ...after];
  const flags = new Map<Option<unknown>, string>();
  for (const row of OPTION_ROWS) {
    const start = `--${row.flag}=`;
    const values = before.filter((word) => word.startsWith(start))
      .map((word) => word.slice(start.length));
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

/**
 * Repeated endpoints with their tokens; none for a single endpoint. A token belongs to the endpoint
 * before it, or to the next one if that has a token already. It is `null` where it may be left out.
 *
 * @throws {UsageError} When they can't be paired.
 */
function pairsOf(attached: readonly string[], { mayLackTokens }: { mayLackTokens: boolean }) {
  const pairs: { endpoint: string; token: string | null }[] = [];
  const early: string[] = [];
  for (const word of attached) {
    const [, flag, value = ""] = /^--(endpoint|token)=(.*)$/s.exec(word) ?? [];
    const last = pairs.at(-1);
    if (flag === "endpoint") pairs.push({ endpoint: value, token: early.shift() ?? null });
    else if (flag === "token" && last?.token === null) last.token = value;
    else if (flag === "token") early.push(value);
  }
  if (pairs.length < 2) return [];
  const lacking = pairs.filter(({ token }) => token === null).length;
  if (early.length === 0 && (lacking === 0 || mayLackTokens)) return pairs;
  throw new UsageError(
    `Cannot pair ${pairs.length} --endpoint with ${pairs.length - lacking + early.length} ` +
      "--token: give each panel's token behind its endpoint",
  );
}

function unknownFlag(arg: string): UsageError {
  const [name = ""] = arg.split("=");
  const hint = didYouMean(name, FLAGS.map((flag) => `--${flag}`)) || "; --help lists them";
  return new UsageError(`Cannot use flag ${name}: no such flag${hint}`);
}

/** A word in an error: one without its flag may be a token. */
function shownWord(word: string): string {
  return isLikeToken(word) ? "…" : redactUrl(word);
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
    const shown = name.split(" ").map(shownWord).join(" ");
    throw new UsageError(`Cannot use command "${shown}": no such command${hint}`);
  }
  const extra = words[isOne ? 1 : 2];
  if (extra === undefined) return { command: name, topic: name };
  throw new UsageError(`Cannot use "${shownWord(extra)}": ${name} takes no more words`);
}
