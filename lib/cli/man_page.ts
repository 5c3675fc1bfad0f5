/**
 * The command `man`: the manual page, from the tables of commands and options.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { COMMAND_ROWS } from "../config/commands.ts";
import type { Language, Translation } from "../config/language.ts";
import type { Option } from "../config/option.ts";
import { rowsByGroup } from "../config/option_table.ts";
import { PROGRAM, VERSION } from "../version.ts";
import type { CommandContext } from "./command.ts";
import { defaultText, EXPLANATION, INTRODUCTION, optionUsage } from "./help.ts";

const TEXTS = {
  name: { en: "NAME", zh: "名称" },
  synopsis: { en: "SYNOPSIS", zh: "用法" },
  description: { en: "DESCRIPTION", zh: "说明" },
  commands: { en: "COMMANDS", zh: "命令" },
  options: { en: "OPTIONS", zh: "选项" },
  default: { en: "Default: ", zh: "默认：" },
  variable: { en: "Variable: ", zh: "环境变量：" },
  exitStatus: { en: "EXIT STATUS", zh: "退出码" },
  codes: {
    en: "0 for success, 1 for a failure, 2 for a mistake on the command line or in the " +
      "configuration, 130 when interrupted.",
    zh: "0 表示成功，1 表示失败，2 表示命令行或配置有误，130 表示被中断。",
  },
} as const satisfies Readonly<Record<string, Translation>>;

/** Prints the manual page. */
export function runMan({ language }: Config, { print }: CommandContext): number {
  print(manPage(language));
  return 0;
}

/** The manual page in the format of man(7). */
export function manPage(language: Language): string {
  const [, ...explanation] = EXPLANATION[language].split("\n\n");
  const lines = [
    `.TH KOMARI\\-AGENT\\-DENO 1 "" "${roff(`${PROGRAM} ${VERSION}`)}"`,
    `.SH ${TEXTS.name[language]}`,
    `${roff(PROGRAM)} \\- ${roff(INTRODUCTION[language])}`,
    `.SH ${TEXTS.synopsis[language]}`,
    ...COMMAND_ROWS.flatMap(([, { usage }]) => [`.B ${roff(PROGRAM)}`, roff(usage), ".br"]),
    `.SH ${TEXTS.description[language]}`,
    ...explanation.map(roff),
    `.SH ${TEXTS.commands[language]}`,
    ...COMMAND_ROWS.flatMap(([name, { help, details }]) => [
      ...[".TP", `.B ${roff(name)}`, roff(help[language])],
      ...(details === undefined ? [] : [".br", roff(details[language])]),
    ]),
    `.SH ${TEXTS.options[language]}`,
    ...rowsByGroup().flatMap(({ title, rows }) => [
      `.SS ${roff(title[language])}`,
      ...rows.flatMap((row) => optionLines(row, language)),
    ]),
    `.SH ${TEXTS.exitStatus[language]}`,
    roff(TEXTS.codes[language]),
  ];
  return lines.join("\n") + "\n";
}

function optionLines(row: Option<unknown>, language: Language): string[] {
  const initial = defaultText(row, language);
  const notes = [
    row.noEffect?.[language],
    initial && `${TEXTS.default[language]}${initial}`,
    row.flag && row.variable && `${TEXTS.variable[language]}${row.variable}`,
  ].filter((note) => note !== undefined && note !== "");
  return [
    ...[".TP", `.B ${roff(optionUsage(row))}`, roff(row.help[language])],
    ...notes.flatMap((note) => [".br", roff(String(note))]),
  ];
}

/** Text that roff prints as it is: no line begins with a control character. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^(?=[.'])/gm, "\\&");
}
