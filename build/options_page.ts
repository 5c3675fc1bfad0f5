/**
 * The tables of options for the pages about them, from the option table.
 *
 * @module
 */

import { defaultText, optionUsage } from "../lib/cli/help.ts";
import { translate } from "../lib/cli/translate.ts";
import type { Language } from "../lib/config/environment.ts";
import { commandsOf, type Option } from "../lib/config/option.ts";
import { OPTION_ROWS, rowsByGroup } from "../lib/config/option_table.ts";

const TEXTS = {
  columns: {
    en: ["flag", "variable", "key", "default", "meaning"],
    zh: ["命令行选项", "环境变量", "键", "默认值", "含义"],
  },
  off: { en: "off", zh: "关闭" },
  reason: { en: "why it has no effect", zh: "为什么不起作用" },
} as const;

const SAY: Readonly<Record<Language, (text: string) => string>> = {
  en: (text) => text,
  zh: (text) => translate(text, "zh"),
};

/** A page with tables of options, by its name below the folder of its language. */
const PAGES: Readonly<Record<string, (language: Language) => string[]>> = {
  "options.md": optionTables,
  "official-agent.md": tableWithoutEffect,
};

/** The paths of the pages with tables of options, each with its language. */
export const OPTION_PAGES: readonly { path: string; language: Language }[] = Object.keys(PAGES)
  .flatMap((name) => [
    { path: `docs/${name}`, language: "en" },
    { path: `docs/zh-CN/${name}`, language: "zh" },
  ]);

const BEGIN = "<!-- generated:options -->";
const END = "<!-- /generated:options -->";

/** The page with its tables written anew. @throws {Error} If it has no place for them. */
export function writeOptionTables(page: string, path: string, language: Language): string {
  const tables = PAGES[path.replace(/.*\//, "")]?.(language) ?? [];
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin) throw new Error(`Cannot find ${BEGIN} and ${END} in ${path}`);
  return [page.slice(0, begin) + BEGIN, ...tables, page.slice(end)].join("\n\n");
}

function optionTables(language: Language): string[] {
  const rows = OPTION_ROWS.filter(({ noEffect }) => noEffect === undefined);
  return rowsByGroup(rows).flatMap(({ title, rows }) => [
    `## ${SAY[language](title)}`,
    table([
      TEXTS.columns[language],
      ...rows.map((row) => [...names(row), ...meaning(row, language)]),
    ]),
  ]);
}

function tableWithoutEffect(language: Language): string[] {
  const rows = OPTION_ROWS.filter(({ noEffect }) => noEffect !== undefined);
  return [table([
    [...TEXTS.columns[language].slice(0, 3), TEXTS.reason[language]],
    ...rows.map((row) => [...names(row), reason(row, language)]),
  ])];
}

function names(row: Option<unknown>): string[] {
  const flag = row.flag === undefined ? "" : optionUsage(row);
  // A configuration file that names itself says nothing.
  const key = row.variable === "AGENT_CONFIG_FILE" ? "" : row.key;
  return [flag, row.variable ?? "", key ?? ""].map((name) => name === "" ? "" : code(name));
}

function meaning(row: Option<unknown>, language: Language): string[] {
  const initial = defaultText(row, SAY[language]) ??
    (row.placeholder === undefined ? TEXTS.off[language] : "");
  const isPath = /^[$/]\S*$/.test(initial);
  const commands = commandsOf(row) ?? [];
  const isOfFew = commands.length > 0 && commands.length <= 2 && !commands.includes("report");
  const only = isOfFew ? commands.map(code).join(", ") + SAY[language](": ") : "";
  return [isPath ? code(initial) : initial, only + withCode(SAY[language](row.help))];
}

/** Flags, patterns and the `-` of standard input stand out. */
function withCode(text: string): string {
  return text.replace(
    /--[a-z]+(-[a-z]+)*( (all|available|htop|help)\b)?|[\w[\]]+[*?](?=[,、 ]|$)|(?<=or |；)-(?= )/g,
    code,
  );
}

function reason({ noEffect = "" }: Option<unknown>, language: Language): string {
  return withCode(SAY[language](noEffect).replace(/^[a-z]/, (letter) => letter.toUpperCase()));
}

function code(text: string): string {
  return `\`${text.replaceAll("|", "\\|")}\``;
}

function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  return [head, head.map(() => "---"), ...body].map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}
