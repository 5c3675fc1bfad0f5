/**
 * The help, from the tables of commands and options: one screen for the program and for each command
 * but `report`, which has all options.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import {
  type Command,
  COMMAND_GROUPS,
  COMMAND_ROWS,
  type CommandRow,
  COMMANDS,
  isCommand,
} from "../config/commands.ts";
import { commandsOf, type Option } from "../config/option.ts";
import { OPTION_ROWS, rowsByGroup } from "../config/option_table.ts";
import { PROGRAM, REPOSITORY } from "../version.ts";
import type { CommandContext } from "./command.ts";
import { wrap } from "./layout.ts";

/** Columns of a terminal, and where the text of a command, an example and an option begins. */
const WIDTH = 80;
const COMMAND_COLUMN = 17;
const EXAMPLE_COLUMN = 60;
const OPTION_COLUMN = 31;

const EXAMPLES: readonly (readonly [line: string, text: string])[] = [
  ["demo", "try it"],
  ["--dry-run", "see what it sends"],
  ["-e https://panel.example.com -t TOKEN", "report until Ctrl-C"],
  ["install -e URL --token-file FILE", "report as a service"],
  ["doctor", "find what is wrong"],
];

const FURTHER: readonly (readonly [line: string, text: string])[] = [
  ["help COMMAND", "one command"],
  ["help report", "all agent options"],
];

const RULES =
  "A flag wins over its environment variable, and the variable over the file of --config. " +
  "The variable is the flag in capitals if no other is named: --log-level is AGENT_LOG_LEVEL. " +
  "The key in the file is the variable without AGENT_, in small letters: log_level. " +
  "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY apply to the panel's connection, too.";

/** Gives a text in the language of the help. */
export type Say = (english: string) => string;

/** Prints the help of the program, of a command, or of a group of commands. */
export function runHelp({ helpTopic }: Config, { print, inLanguage }: CommandContext): number {
  print(helpText(helpTopic, inLanguage));
  return 0;
}

/** The help of the program, or of the command or group `topic`, from the tables. */
export function helpText(topic = "", say: Say = (english) => english): string {
  const sections = isCommand(topic) ? commandSections(topic, say) : overview(topic, say);
  return sections.join("\n\n") + "\n";
}

/** All commands by their sections, or those whose first word is `group`. */
function overview(group: string, say: Say): string[] {
  const commands = Object.entries(COMMAND_GROUPS).flatMap(([name, title]) => {
    const rows = COMMAND_ROWS.filter(([command, row]) =>
      row.group === name && (group === "" || command.startsWith(`${group} `))
    );
    const lines = rows.map(([command, { help }]) =>
      `  ${command.padEnd(COMMAND_COLUMN - 2)}${say(help)}`
    );
    return lines.length === 0 ? [] : [section(title, lines, say)];
  });
  const whole = group === "";
  const documentation = REPOSITORY === "" ? [] : [`  https://github.com/${REPOSITORY}`];
  const further = [...linesOf(FURTHER, say), ...whole ? documentation : []];
  return [
    ...whole ? [say("komari-agent-deno reports this machine to a Komari panel.")] : [],
    ...commands,
    ...whole ? [section("Examples", linesOf(EXAMPLES, say), say)] : [],
    section("More help", further, say),
  ];
}

function section(title: string, lines: readonly string[], say: Say): string {
  return [`${say(title)}${say(":")}`, ...lines].join("\n");
}

function linesOf(rows: typeof EXAMPLES, say: Say): string[] {
  return rows.map(([line, text]) => `  ${PROGRAM} ${line}`.padEnd(EXAMPLE_COLUMN) + say(text));
}

function commandSections(command: Command, say: Say): string[] {
  const { args = "[OPTIONS]", help, details, example }: CommandRow = COMMANDS[command];
  const own = say(help);
  const sentence = `${own.slice(0, 1).toUpperCase()}${own.slice(1)}${say(".")}`;
  const paragraph = (text: string) => wrap(text, WIDTH).join("\n");
  const head = [
    `${PROGRAM} ${command} ${args}`,
    [sentence, ...details === undefined ? [] : wrap(say(details), WIDTH)].join("\n"),
    ...example === undefined ? [] : [section("Example", [`  ${PROGRAM} ${example}`], say)],
  ];
  const entries = (rows: readonly Option<unknown>[]) => rows.map((row) => optionEntry(row, say));
  if (command === "report") {
    const groups = rowsByGroup(optionsOf(command));
    const sections = groups.map(({ title, rows }) => section(title, entries(rows), say));
    return [...head, ...sections, paragraph(say(RULES))];
  }
  const more = takesAgentOptions(command)
    ? [
      paragraph(
        say("It also takes the agent's options, which `komari-agent-deno help report` shows."),
      ),
    ]
    : [];
  return [...head, section("Options", entries(optionsOf(command)), say), ...more];
}

/** Whether a command has all options of a report, so that its help does not show them again. */
function takesAgentOptions(command: Command): boolean {
  const { takes }: CommandRow = COMMANDS[command];
  return command !== "report" && (takes?.includes("measured") ?? false);
}

/**
 * The options that the help of a command shows, those first that few others take; without those that
 * have no effect, and of another command than `report` without those of an agent.
 */
export function optionsOf(command: Command): readonly Option<unknown>[] {
  const isOwn = (row: Option<unknown>) => (commandsOf(row)?.length ?? Infinity) <= 2;
  const taken = OPTION_ROWS.filter((row) =>
    row.noEffect === undefined && (commandsOf(row)?.includes(command) ?? true)
  );
  if (command === "report") return taken;
  const isAgents = (row: Option<unknown>) =>
    row.group !== "general" && commandsOf(row)?.includes("report");
  const shown = takesAgentOptions(command)
    ? taken.filter((row) => isOwn(row) || !isAgents(row))
    : taken;
  return [...shown.filter(isOwn), ...shown.filter((row) => !isOwn(row))];
}

/** An option on the command line, or in the environment if it has no flag. */
export function optionUsage(option: Option<unknown>): string {
  if (option.flag === undefined) return `$${option.variable}`;
  const short = option.short === undefined ? "" : `-${option.short}, `;
  const value = option.placeholder === undefined ? "" : ` ${option.placeholder}`;
  return `${short}--${option.flag}${value}`;
}

/** An option's default in words; `undefined` for a switch that is off, and where one must be given. */
export function defaultText(option: Option<unknown>, say: Say): string | undefined {
  const { initial, initialText, placeholder, isRequired } = option;
  if (initialText !== undefined) return say(initialText);
  if (placeholder === undefined || isRequired || initial === undefined) return undefined;
  const text = String(initial);
  return text === "" ? say("none") : text;
}

function optionEntry(option: Option<unknown>, say: Say): string {
  const left = `  ${optionUsage(option)}`;
  const { flag, variable, help } = option;
  const initial = defaultText(option, say);
  const isNamed = variable !== undefined && flag !== undefined &&
    variable !== `AGENT_${flag.replaceAll("-", "_").toUpperCase()}`;
  const notes = [
    ...initial === undefined || initial === say("none") ? [] : [say("default: ") + initial],
    ...isNamed ? [`$${variable}`] : [],
  ];
  const inBrackets = `${say(" (")}${notes.join(say("; "))}${say(")")}`;
  const text = say(help) + (notes.length === 0 ? "" : inBrackets);
  const [first = "", ...rest] = wrap(text, WIDTH - OPTION_COLUMN);
  const indent = " ".repeat(OPTION_COLUMN);
  const head = left.length < OPTION_COLUMN - 1
    ? left.padEnd(OPTION_COLUMN) + first
    : `${left}\n${indent}${first}`;
  return [head, ...rest.map((line) => indent + line)].join("\n");
}
