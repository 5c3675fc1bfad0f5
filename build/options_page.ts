/**
 * The tables of options for the pages about them, from the option table.
 *
 * @module
 */

import { defaultText, optionUsage } from "../lib/cli/help.ts";
import { translate } from "../lib/cli/translate.ts";
import type { Language } from "../lib/config/language.ts";
import type { Option } from "../lib/config/option.ts";
import { OPTION_ROWS } from "../lib/config/option_table.ts";

/** The pages about options, by language. */
export const OPTION_PAGES: Readonly<Record<Language, string>> = {
  en: "docs/options.md",
  zh: "docs/zh-CN/options.md",
};

const BEGIN = "<!-- generated:options -->";
const END = "<!-- /generated:options -->";

/** The texts of the option table in a language. */
const SAY = {
  en: (english: string) => english,
  zh: (english: string) => translate(english, "zh"),
} as const;

const TEXTS = {
  title: { en: "All options", zh: "全部选项" },
  columns: {
    en: ["flag", "variable", "key", "default", "meaning"],
    zh: ["命令行选项", "环境变量", "键", "默认值", "含义"],
  },
  off: { en: "off", zh: "关闭" },
  noEffectTitle: {
    en: "Options of the official agent without effect",
    zh: "不起作用的官方选项",
  },
  noEffectText: {
    en: "These are accepted, so that an existing unit file or container works unchanged. The log " +
      "says that they have no effect, and why.",
    zh:
      "这些选项可以照写，现有的服务文件或容器无需改动就能用。日志会说明它们不起作用，以及为什么。",
  },
  noEffectColumn: { en: "why it has no effect", zh: "为什么不起作用" },
} as const;

/** The page with its tables written anew. @throws {Error} If it has no place for them. */
export function writeOptionTables(page: string, language: Language): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin) throw new Error(`Cannot find ${BEGIN} and ${END}`);
  return [page.slice(0, begin) + BEGIN, ...sections(language), page.slice(end)].join("\n\n");
}

function sections(language: Language): string[] {
  const columns = TEXTS.columns[language];
  const withEffect = OPTION_ROWS.filter((row) => row.noEffect === undefined);
  const without = OPTION_ROWS.filter((row) => row.noEffect !== undefined);
  return [
    `## ${TEXTS.title[language]}`,
    table([columns, ...withEffect.map((row) => [...names(row), ...meaning(row, language)])]),
    `## ${TEXTS.noEffectTitle[language]}`,
    TEXTS.noEffectText[language],
    table([
      [...columns.slice(0, 3), TEXTS.noEffectColumn[language]],
      ...without.map((row) => [...names(row), reason(row, language)]),
    ]),
  ];
}

function names(row: Option<unknown>): string[] {
  return [optionUsage(row), row.flag === undefined ? "" : row.variable ?? "", row.key ?? ""].map(
    (name) => name === "" ? "" : code(name),
  );
}

function meaning(row: Option<unknown>, language: Language): string[] {
  const initial = defaultText(row, SAY[language]) ??
    (row.placeholder === undefined ? TEXTS.off[language] : "");
  const isPath = /^[$/]\S*$/.test(initial);
  return [isPath ? code(initial) : initial, SAY[language](row.help)];
}

function reason({ help, noEffect }: Option<unknown>, language: Language): string {
  const colon = { en: ": ", zh: "：" };
  return [help, noEffect ?? ""].map(SAY[language]).join(colon[language]);
}

function code(text: string): string {
  return `\`${text.replaceAll("|", "\\|")}\``;
}

function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  return [head, head.map(() => "---"), ...body].map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}
