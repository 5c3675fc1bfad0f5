/**
 * The command `config show`: the options in force, and where their values come from.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import type { Language, Translation } from "../config/language.ts";
import type { Option } from "../config/option.ts";
import { OPTION_ROWS, OPTIONS, rowsByGroup } from "../config/option_table.ts";
import { redactSecrets } from "../log/redact.ts";
import type { CommandContext } from "./command.ts";
import { defaultText, displayWidth, padded } from "./help.ts";
import { jsonText } from "./output.ts";

/** An option in force. */
export interface ShownOption {
  readonly key: string;
  /** The value as a flag would have it; hidden for a secret, empty if there is none. */
  readonly value: string;
  /** In words, such as `flag --interval`; `default` if nothing sets it. */
  readonly source: string;
}

const TEXTS = {
  file: { en: "Configuration file: ", zh: "配置文件：" },
  none: { en: "none", zh: "无" },
  installed: { en: " (of the installed service)", zh: "（已安装服务的配置）" },
  default: { en: "default", zh: "默认" },
  off: { en: "off", zh: "关闭" },
  note: { en: "Note: ", zh: "注意：" },
} as const satisfies Readonly<Record<string, Translation>>;

/** Shown in place of a secret. */
const HIDDEN = "********";

/** Prints the configuration. */
export function runConfigShow(config: Config, { print }: CommandContext): number {
  print(config.json ? configJson(config) : configTable(config));
  return 0;
}

/** Every option with a key, except those that have no effect and are not set. */
export function shownOptions(config: Config, language: Language): ShownOption[] {
  return OPTION_ROWS.flatMap((row) => {
    const { key, noEffect } = row;
    if (key === undefined || (noEffect && !config.origins.has(key))) return [];
    const origin = config.origins.get(key);
    const value = valueText(row, config, language);
    return [{ key, value, source: origin ?? sourceOf(row, config) ?? TEXTS.default[language] }];
  });
}

/** The source of a value that no option sets. */
function sourceOf(row: Option<unknown>, config: Config): string | undefined {
  if (row === OPTIONS.configFile && config.isConfigInstalled) return "the installed service";
  const ofPanels = config.origins.get("panels");
  if (row === OPTIONS.endpoint && config.endpoint !== "") return ofPanels;
  if (row !== OPTIONS.token || config.token === "") return undefined;
  return config.origins.get("token_file") ?? ofPanels ?? "$CREDENTIALS_DIRECTORY/token";
}

function valueText(row: Option<unknown>, config: Config, language: Language): string {
  const { key = "", secret } = row;
  if (row === OPTIONS.token) return config.token === "" ? "" : HIDDEN;
  if (row === OPTIONS.endpoint) return config.endpoint;
  if (row === OPTIONS.panels && config.origins.has(key)) {
    return [config, ...config.furtherPanels].map(({ endpoint }) => endpoint).join(", ");
  }
  if (row === OPTIONS.configFile) return config.configPath ?? "";
  if (row === OPTIONS.tokenFile) return config.tokenFile;
  const text = config.explicitOptions.get(key);
  if (text === undefined) {
    return defaultText(row, language) ?? (row.placeholder === undefined ? TEXTS.off[language] : "");
  }
  return secret ? HIDDEN : redactSecrets(text, config.secrets);
}

function configJson(config: Config): string {
  const options = shownOptions(config, "en").map(({ key, value, source }) =>
    [key, { value, source }] as const
  );
  const { configPath: file, notices } = config;
  return jsonText({ file, options: Object.fromEntries(options), notices });
}

function configTable(config: Config): string {
  const { configPath, isConfigInstalled, language, notices } = config;
  const options = new Map(shownOptions(config, language).map((option) => [option.key, option]));
  const shown = [...options.values()];
  const widthOf = (texts: string[]) => Math.min(40, Math.max(...texts.map(displayWidth)));
  const keys = widthOf(shown.map(({ key }) => key));
  const values = widthOf(shown.map(({ value }) => value));
  const sections = rowsByGroup(OPTION_ROWS.filter(({ key = "" }) => options.has(key))).map(
    ({ title, rows }) => {
      const lines = rows.flatMap((row) => options.get(row.key ?? "") ?? [])
        .map(({ key, value, source }) =>
          `  ${padded(key, keys)}  ${padded(value, values)}  ${source}`.trimEnd()
        );
      return [title[language], ...lines].join("\n");
    },
  );
  const file = (configPath ?? TEXTS.none[language]) +
    (isConfigInstalled ? TEXTS.installed[language] : "");
  return [
    TEXTS.file[language] + file,
    ...sections,
    ...(notices.length === 0
      ? []
      : [notices.map((notice) => TEXTS.note[language] + notice).join("\n")]),
  ].join("\n\n") + "\n";
}
