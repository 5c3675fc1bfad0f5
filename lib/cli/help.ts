/**
 * The help, from the tables of commands and options.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import {
  type Command,
  COMMAND_ROWS,
  type CommandRow,
  COMMANDS,
  isCommand,
} from "../config/commands.ts";
import { commandsOf, type Option } from "../config/option.ts";
import { OPTION_ROWS, rowsByGroup } from "../config/option_table.ts";
import { PROGRAM } from "../version.ts";
import type { CommandContext } from "./command.ts";
import { wrap } from "./layout.ts";

/** The program in a sentence. */
export const INTRODUCTION = "Reports this machine to a Komari panel.";

/** An example, and the layers of options. */
export const EXPLANATION =
  `Example, for a panel behind Cloudflare Access (other users can't see variables):
  AGENT_CF_ACCESS_CLIENT_ID=ID.access AGENT_CF_ACCESS_CLIENT_SECRET=SECRET \\
    komari-agent-deno -e https://panel.example.com --token-file FILE

Every option can also be set by its environment variable, shown as $AGENT_…, or by its key in a
JSON file (--config FILE). The key is the variable's name without AGENT_, in small letters:
$AGENT_ENABLE_GPU is enable_gpu. A flag wins over the environment, and the environment over the
file. HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY also apply to the connection to the panel.`;

const MORE = `\`${PROGRAM} help\` shows all commands and options.`;

/** Gives a text in the language of the help. */
export type Say = (english: string) => string;

/** Column of the text of an option, and of a command. */
const OPTION_COLUMN = 40;
const COMMAND_COLUMN = 51;
const WIDTH = 100;

/** Prints the help of the program, of a command, or of a group of commands. */
export function runHelp({ helpTopic }: Config, { print, inLanguage }: CommandContext): number {
  print(helpText(helpTopic, inLanguage));
  return 0;
}

/** The help of the program, or of the command or group `topic`, from the tables. */
export function helpText(topic = "", say: Say = (english) => english): string {
  const sections = isCommand(topic)
    ? commandSections(topic, say)
    : topic !== ""
    ? [usageSection(say("Commands:"), topic, say), say(MORE)]
    : [
      say(INTRODUCTION),
      usageSection(say("Usage:"), "", say),
      say(EXPLANATION),
      ...optionSections(OPTION_ROWS, say),
    ];
  return sections.join("\n\n") + "\n";
}

function commandSections(command: Command, say: Say): string[] {
  const { usage, help, details }: CommandRow = COMMANDS[command];
  const text = details === undefined ? [] : [wrap(say(details), WIDTH).join("\n")];
  return [
    `${PROGRAM} ${usage}`,
    `${capitalize(say(help))}${say(".")}`,
    ...text,
    ...optionSections(optionsOf(command), say),
    say(MORE),
  ];
}

function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Options that a command takes, without those that have no effect but for an agent. */
export function optionsOf(command: Command): readonly Option<unknown>[] {
  const isAgent = command === "report" || command === "install";
  return OPTION_ROWS.filter((row) =>
    (row.noEffect === undefined || isAgent) && (commandsOf(row)?.includes(command) ?? true)
  );
}

function optionSections(rows: readonly Option<unknown>[], say: Say): string[] {
  return rowsByGroup(rows).map(({ title, rows }) =>
    `${say(title)}${say(":")}\n${rows.map((row) => optionEntry(row, say)).join("\n")}`
  );
}

/** The commands whose first word is `group`, or all. */
function usageSection(title: string, group: string, say: Say): string {
  const lines = COMMAND_ROWS.filter(([name]) => group === "" || name.startsWith(`${group} `))
    .flatMap(([name, { usage, help }]) => [
      usageLine(usage, say(help)),
      ...(name === "report"
        ? [usageLine("--dry-run [--json]", say("show what would be sent"))]
        : []),
    ]);
  return [title, ...lines].join("\n");
}

function usageLine(usage: string, text: string): string {
  return `  ${PROGRAM} ${usage}`.padEnd(COMMAND_COLUMN) + text;
}

/** An option on the command line, or in the environment if it has no flag. */
export function optionUsage(option: Option<unknown>): string {
  if (option.flag === undefined) return `$${option.variable}`;
  const short = option.short === undefined ? "" : `-${option.short}, `;
  const value = option.placeholder === undefined ? "" : ` ${option.placeholder}`;
  return `${short}--${option.flag}${value}`;
}

/** An option's default in words; `undefined` if there is none, or for a switch that is off. */
export function defaultText(option: Option<unknown>, say: Say): string | undefined {
  if (option.initialText !== undefined) return say(option.initialText);
  const { initial } = option;
  return typeof initial === "number" || (typeof initial === "string" && initial !== "")
    ? String(initial)
    : undefined;
}

function optionEntry(option: Option<unknown>, say: Say): string {
  const left = `  ${optionUsage(option)}`;
  const initial = defaultText(option, say);
  const notes = [
    initial === undefined ? "" : say("default: ") + initial,
    option.flag === undefined || option.variable === undefined ? "" : `$${option.variable}`,
  ].filter((note) => note !== "");
  const words = [option.help, option.noEffect]
    .filter((text) => text !== undefined).map(say).join(say(": "));
  const inBrackets = `${say(" (")}${notes.join(say("; "))}${say(")")}`;
  const text = words + (notes.length === 0 ? "" : inBrackets);
  const [first = "", ...rest] = wrap(text, WIDTH - OPTION_COLUMN);
  const head = left.length < OPTION_COLUMN - 1
    ? left.padEnd(OPTION_COLUMN) + first
    : `${left}\n${" ".repeat(OPTION_COLUMN)}${first}`;
  return [head, ...rest.map((line) => " ".repeat(OPTION_COLUMN) + line)].join("\n");
}
