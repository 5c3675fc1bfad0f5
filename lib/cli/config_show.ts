/**
 * The command `config show`: the options in force, and where their values come from.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { proxiesFromEnvironment, proxyVariables } from "../config/environment.ts";
import type { Option } from "../config/option.ts";
import { OPTION_ROWS, OPTIONS, rowsByGroup } from "../config/option_table.ts";
import { shownText } from "../config/public_config.ts";
import { readSavedProxies } from "../service/service_files.ts";
import { environmentFileOf } from "../service/service_manager.ts";
import type { CommandContext } from "./command.ts";
import { defaultText, type Say } from "./help.ts";
import { columnWidths, tableText } from "./layout.ts";
import { jsonText } from "./output.ts";

/** An option in force. */
export interface ShownOption {
  readonly key: string;
  /** The value as a flag would have it; hidden for a secret, empty if there is none. */
  readonly value: string;
  /** In words, such as `flag --interval`; `default` if nothing sets it. */
  readonly origin: string;
}

/** Shown in place of a secret. */
const HIDDEN = "********";

/** Prints the configuration. */
export function runConfigShow(config: Config, { env, print, inLanguage }: CommandContext): number {
  const proxies = shownProxies(config, env);
  print(config.json ? configJson(config, proxies) : configTable(config, proxies, inLanguage));
  return 0;
}

/** The proxies that the installed service has saved, else those of the environment; no passwords. */
function shownProxies(
  { isConfigInstalled, configPath = "" }: Config,
  env: CommandContext["env"],
): ShownOption[] {
  const path = environmentFileOf(configPath);
  const found = isConfigInstalled
    ? readSavedProxies(path) ?? {}
    : proxyVariables(proxiesFromEnvironment(env));
  return Object.entries(found).map(([key, url]) => ({
    key,
    value: url.replace(/^((?:[^/]*:\/\/)?)[^/]*@/, `$1${HIDDEN}@`),
    origin: isConfigInstalled ? path : `variable ${key}`,
  }));
}

/** Every option with a key, except those that have no effect and are not set. */
export function shownOptions(config: Config, say: Say): ShownOption[] {
  return OPTION_ROWS.flatMap((row) => {
    const { key, noEffect } = row;
    if (key === undefined || (noEffect && !config.origins.has(key))) return [];
    const origin = config.origins.get(key);
    const value = valueText(row, config, say);
    return [{ key, value, origin: origin ?? otherOrigin(row, config) ?? say("default") }];
  });
}

/** The origin of a value that no option sets. */
function otherOrigin(row: Option<unknown>, config: Config): string | undefined {
  if (row === OPTIONS.configFile && config.isConfigInstalled) return "the installed service";
  const ofPanels = config.origins.get("panels");
  if (row === OPTIONS.endpoint && config.endpoint !== "") return ofPanels;
  if (row !== OPTIONS.token || config.token === "") return undefined;
  return config.origins.get("token_file") ?? ofPanels ?? "$CREDENTIALS_DIRECTORY/token";
}

function valueText(row: Option<unknown>, config: Config, say: Say): string {
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
    return defaultText(row, say) ?? (row.placeholder === undefined ? say("off") : "");
  }
  if (secret) return HIDDEN;
  return shownText(text, config.secrets, `${HIDDEN}@`);
}

function configJson(config: Config, proxies: readonly ShownOption[]): string {
  const byKey = (shown: readonly ShownOption[]) =>
    Object.fromEntries(shown.map(({ key, value, origin }) => [key, { value, origin }]));
  const { configPath: file, notices } = config;
  return jsonText({
    file,
    options: byKey(shownOptions(config, (english) => english)),
    proxies: byKey(proxies),
    notices,
  });
}

function configTable(config: Config, proxies: readonly ShownOption[], say: Say): string {
  const { configPath, isConfigInstalled, notices } = config;
  const options = new Map(shownOptions(config, say).map((option) => [option.key, option]));
  const row = ({ key, value, origin }: ShownOption) => [key, value, origin];
  const widths = columnWidths([...options.values(), ...proxies].map(row))
    .map((width) => Math.min(width, 40));
  const section = (title: string, rows: readonly ShownOption[]) =>
    tableText(say(title), rows.map(row), widths);
  const sections = rowsByGroup(OPTION_ROWS.filter(({ key = "" }) => options.has(key))).map(
    ({ title, rows }) => section(title, rows.flatMap((row) => options.get(row.key ?? "") ?? [])),
  );
  if (proxies.length > 0) sections.push(section("Proxies", proxies));
  const file = (configPath ?? say("none")) +
    (isConfigInstalled ? say(" (of the installed service)") : "");
  return [
    say("Configuration file: ") + file,
    ...sections,
    ...(notices.length === 0 ? [] : [notices.map((notice) => say("Note: ") + notice).join("\n")]),
  ].join("\n\n") + "\n";
}
