/**
 * The help, from the tables of commands and options: one screen for the program and for each command
 * but `report`, which has all options.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { type Command, commandsThatTake, isCommand } from "../config/commands.ts";
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

/** The sections of commands. */
const GROUPS = { run: "Run", look: "Look", more: "More" } as const;

/** The words of a command. */
interface CommandHelp {
  readonly group: keyof typeof GROUPS;
  /** Text after its name on the command line, if not any options. */
  readonly args?: string;
  readonly help: string;
  /** A longer explanation for the help of the command itself. */
  readonly details?: string;
  /** What somebody would type after the program's name. */
  readonly example?: string;
}

/** Beside the table of commands, since an agent has no use for their words. */
export const COMMAND_HELP: Readonly<Record<Command, CommandHelp>> = {
  "report": {
    group: "run",
    args: "-e URL --token-file FILE [OPTIONS]",
    help: "report to a panel; this is the default command",
    details:
      "With --dry-run it measures twice, shows what it would send and where each value comes from, and exits; this needs no panel.",
    example: "-e https://panel.example.com --token-file FILE --gpu",
  },
  "demo": {
    group: "run",
    help: "try the agent without a panel",
    details: "Starts a small panel on this machine, reports to it, and shows all values on a page.",
    example: "demo --port 8080",
  },
  "install": {
    group: "run",
    args: "-e URL --token-file FILE [OPTIONS]",
    help: "install the agent as a service (systemd, OpenRC or launchd)",
    details:
      "Writes the options into the service's configuration. Run it again to change options or the version.",
    example: "install -e https://panel.example.com --token-file FILE --gpu",
  },
  "uninstall": {
    group: "run",
    help: "remove the service and all its files",
    example: "uninstall --keep-state",
  },
  "update": {
    group: "run",
    args: "[--check|--now]",
    help: "look for a newer version, or install it",
    details: "A new version that does not report within a minute is rolled back.",
    example: "update --now",
  },
  "status": {
    group: "look",
    help: "show whether the agent reports, and what it does",
    details:
      "Shows version, panel, transport, the last report, failures, probes, memory, seal and service. The exit code is 0 if the panel accepts the agent's reports and nothing else is wrong, else 1.",
    example: "status --json",
  },
  "doctor": {
    group: "look",
    help: "find out what is wrong, and what to do",
    details:
      "Checks the configuration, the connection to the panel and this machine. Without -e or --config it checks the installed service. It only reads from the panel: the node does not appear online, and a running agent is not disturbed. The exit code is 1 if a check fails.",
    example: "doctor -e https://panel.example.com --token-file FILE",
  },
  "config show": {
    group: "look",
    help: "check and show the configuration",
    details:
      "Shows every option in force and where its value comes from, without secrets. Without --config it reads the configuration of the installed service. The exit code is 2 if there is a mistake.",
    example: "config show --config config.json",
  },
  "traffic show": { group: "look", help: "show the month's traffic" },
  "traffic set": {
    group: "look",
    args: "--up BYTES --down BYTES",
    help: "set the month's traffic",
    details: "A running agent uses the new totals from its next report on.",
    example: "traffic set --up 12.5GiB --down 300GB",
  },
  "health": {
    group: "more",
    args: "[--alive] [--json]",
    help: "health check for supervisors and containers",
    details:
      "The exit code is 0 if the panel has accepted a report within two intervals and 15 s, else 1. A supervisor that restarts the agent should use --alive, which only checks whether it runs: a restart does not help while the panel is down.",
    example: "health --alive",
  },
  "version": { group: "more", help: "show the version" },
  "licenses": { group: "more", help: "show the licenses of the program and its parts" },
  "help": { group: "more", args: "[COMMAND]", help: "show the help of a command" },
};

const EXAMPLES: readonly (readonly [line: string, text: string])[] = [
  ["demo", "try it"],
  ["--dry-run", "see what it sends"],
  ["-e URL --token-file FILE", "report until Ctrl-C"],
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
  const commands = Object.entries(GROUPS).flatMap(([name, title]) => {
    const rows = Object.entries(COMMAND_HELP).filter(([command, row]) =>
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
  const { args = "[OPTIONS]", help, details, example } = COMMAND_HELP[command];
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
  return command !== "report" && commandsThatTake("measured").includes(command);
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
