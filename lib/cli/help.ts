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
import type { Language, Translation } from "../config/language.ts";
import { commandsOf, type Option } from "../config/option.ts";
import { OPTION_ROWS, rowsByGroup } from "../config/option_table.ts";
import { PROGRAM } from "../version.ts";
import type { CommandContext } from "./command.ts";

/** The program in a sentence. */
export const INTRODUCTION: Translation = {
  en: "Reports this machine to a Komari panel.",
  zh: "将本机的状态上报给 Komari 面板。",
};

/** An example, and the layers of options. */
export const EXPLANATION: Translation = {
  en: `Example, for a panel behind Cloudflare Access (other users can't see variables):
  AGENT_CF_ACCESS_CLIENT_ID=ID.access AGENT_CF_ACCESS_CLIENT_SECRET=SECRET \\
    komari-agent-deno -e https://panel.example.com --token-file FILE

Every option can also be set by its environment variable, shown as $AGENT_…, or by its key in a
JSON file (--config FILE). The key is the variable's name without AGENT_, in small letters:
$AGENT_ENABLE_GPU is enable_gpu. A flag wins over the environment, and the environment over the
file. HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY also apply to the connection to the panel.`,
  zh: `示例：面板在 Cloudflare Access 后面时（其他用户看不到环境变量）：
  AGENT_CF_ACCESS_CLIENT_ID=ID.access AGENT_CF_ACCESS_CLIENT_SECRET=SECRET \\
    komari-agent-deno -e https://panel.example.com --token-file FILE

每个选项都可以写成环境变量（以 $AGENT_… 标出），或 JSON 文件（--config FILE）里的键。
键名是环境变量名去掉 AGENT_ 后的小写形式：$AGENT_ENABLE_GPU 对应 enable_gpu。
命令行优先于环境变量，环境变量优先于文件。
与面板的连接也遵循 HTTP_PROXY、HTTPS_PROXY、ALL_PROXY 和 NO_PROXY。`,
};

const TEXTS = {
  usage: { en: "Usage:", zh: "用法：" },
  commands: { en: "Commands:", zh: "命令：" },
  colon: { en: ":", zh: "：" },
  default: { en: "default: ", zh: "默认：" },
  dryRun: { en: "show what would be sent", zh: "显示会发送的内容" },
  more: {
    en: `\`${PROGRAM} help\` shows all commands and options.`,
    zh: `\`${PROGRAM} help\` 显示全部命令和选项。`,
  },
} as const satisfies Readonly<Record<string, Translation>>;

/** Column of the text of an option, and of a command. */
const OPTION_COLUMN = 40;
const COMMAND_COLUMN = 51;
const WIDTH = 100;

/** Prints the help of the program, of a command, or of a group of commands. */
export function runHelp(
  { helpTopic, language }: Config,
  { print }: CommandContext,
): number {
  print(helpText(helpTopic, language));
  return 0;
}

/** The help of the program, or of the command or group `topic`, from the tables. */
export function helpText(topic = "", language: Language = "en"): string {
  const sections = isCommand(topic)
    ? commandSections(topic, language)
    : topic !== ""
    ? [usageSection(TEXTS.commands[language], topic, language), TEXTS.more[language]]
    : [
      INTRODUCTION[language],
      usageSection(TEXTS.usage[language], "", language),
      EXPLANATION[language],
      ...optionSections(OPTION_ROWS, language),
    ];
  return sections.join("\n\n") + "\n";
}

function commandSections(command: Command, language: Language): string[] {
  const { usage, help, details }: CommandRow = COMMANDS[command];
  const text = details === undefined ? [] : [wrap(details[language], WIDTH).join("\n")];
  return [
    `${PROGRAM} ${usage}`,
    `${capitalize(help[language])}${language === "zh" ? "。" : "."}`,
    ...text,
    ...optionSections(optionsOf(command), language),
    TEXTS.more[language],
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

function optionSections(rows: readonly Option<unknown>[], language: Language): string[] {
  return rowsByGroup(rows).map(({ title, rows }) =>
    `${title[language]}${TEXTS.colon[language]}\n${
      rows.map((row) => optionEntry(row, language)).join("\n")
    }`
  );
}

/** The commands whose first word is `group`, or all. */
function usageSection(title: string, group: string, language: Language): string {
  const lines = COMMAND_ROWS.filter(([name]) => group === "" || name.startsWith(`${group} `))
    .flatMap(([name, { usage, help }]) => [
      usageLine(usage, help[language]),
      ...(name === "report" ? [usageLine("--dry-run [--json]", TEXTS.dryRun[language])] : []),
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
export function defaultText(option: Option<unknown>, language: Language): string | undefined {
  if (option.initialText !== undefined) return option.initialText[language];
  const { initial } = option;
  return typeof initial === "number" || (typeof initial === "string" && initial !== "")
    ? String(initial)
    : undefined;
}

function optionEntry(option: Option<unknown>, language: Language): string {
  const left = `  ${optionUsage(option)}`;
  const initial = defaultText(option, language);
  const notes = [
    initial === undefined ? "" : TEXTS.default[language] + initial,
    option.flag === undefined || option.variable === undefined ? "" : `$${option.variable}`,
  ].filter((note) => note !== "");
  const words = [option.help[language], option.noEffect?.[language]]
    .filter((text) => text !== undefined).join(language === "zh" ? "：" : ": ");
  const inBrackets = language === "zh" ? `（${notes.join("；")}）` : ` (${notes.join("; ")})`;
  const text = words + (notes.length === 0 ? "" : inBrackets);
  const [first = "", ...rest] = wrap(text, WIDTH - OPTION_COLUMN);
  const head = left.length < OPTION_COLUMN - 1
    ? left.padEnd(OPTION_COLUMN) + first
    : `${left}\n${" ".repeat(OPTION_COLUMN)}${first}`;
  return [head, ...rest.map((line) => " ".repeat(OPTION_COLUMN) + line)].join("\n");
}

/** Breaks a text at blanks, and between Chinese words. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const piece of piecesOf(text)) {
    if (line !== "" && displayWidth((line + piece).trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = piece;
    } else {
      line += piece;
    }
  }
  return [...lines, line];
}

const CHINESE_END = /[\u3000-\u9fff\uff00-\uffef]$/;
/** Marks that no line begins with. */
const CLOSING = " 、。，：；！？）”";
/** Marks that no line ends with. */
const OPENING = "（“";

/** The parts of a text between which a line may end: not before a closing mark, nor in a word. */
function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (const { segment } of new Intl.Segmenter("zh", { granularity: "word" }).segment(text)) {
    const before = pieces.at(-1);
    const isWhole = before !== undefined && !OPENING.includes(before.slice(-1)) &&
      !CLOSING.includes(segment.charAt(0)) && (before.endsWith(" ") || CHINESE_END.test(before) ||
        /^[\u4e00-\u9fff]/.test(segment) || OPENING.includes(segment.charAt(0)));
    if (before !== undefined && !isWhole) {
      pieces[pieces.length - 1] = before + segment;
    } else pieces.push(segment);
  }
  return pieces;
}

/** A text with blanks up to so many columns. */
export function padded(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

/** Columns of a text on a terminal, where a Chinese character takes two. */
export function displayWidth(text: string): number {
  return text.length + (text.match(/[\u2e80-\u9fff\uff00-\uff60]/g)?.length ?? 0);
}
