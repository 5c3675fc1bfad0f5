/**
 * The command `doctor`: checks everything between this machine and its panel, and says what to do.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { panelName } from "../config/panels.ts";
import { stateFolder } from "../state/paths.ts";
import {
  type Check,
  checksJson,
  checkText,
  type CompletedCheck,
  runChecks,
  summaryText,
} from "./checks.ts";
import { type CommandContext, supportedPlatform } from "./command.ts";
import { configCheck, machineChecks } from "./doctor_machine.ts";
import { panelChecks } from "./doctor_panel.ts";

/** Checks everything; the exit code is 1 if a check has failed. */
export async function runDoctor(asked: Config, context: CommandContext): Promise<number> {
  const config = await withRegisteredToken(asked);
  const { json, language, secrets } = config;
  const checks = [
    configCheck(config),
    ...allPanelChecks(config),
    ...machineChecks(config, { ...supportedPlatform(), env: context.env }),
  ];
  const isColored = Deno.stdout.isTerminal() && !Deno.noColor;
  const completed: CompletedCheck[] = [];
  for await (const check of runChecks(checks, { signal: context.signal, secrets })) {
    const isOfNextPanel = check.panel !== completed.at(-1)?.panel;
    completed.push(check);
    if (!json && isOfNextPanel) {
      context.print(check.panel === undefined ? "\n" : `\n${check.panel}\n`);
    }
    if (!json) context.print(checkText(check, { language, isColored }));
  }
  context.print(json ? checksJson(completed) : `\n${summaryText(completed, language)}\n`);
  return completed.some(({ status }) => status === "failed") ? 1 : 0;
}

/** The checks of each panel; they name it if there are several. */
export function allPanelChecks(config: Config): readonly Check[] {
  if (config.furtherPanels.length === 0) return panelChecks(config);
  return [config, ...config.furtherPanels].flatMap((settings) => {
    const panel = panelName(settings);
    return panelChecks({ ...config, ...settings }).map((check) => ({ ...check, panel }));
  });
}

/** The configuration with the token that this node got when it registered itself. */
async function withRegisteredToken(config: Config): Promise<Config> {
  if (config.token !== "" || config.autoDiscoveryKey === "") return config;
  const { NodeStore } = await import("../panel/node_store.ts");
  const store = new NodeStore(stateFolder(config), { ignoreDamage: true });
  using _ = store;
  const token = store.find(config.endpoint)?.token;
  if (token === undefined) return config;
  return { ...config, token, secrets: [...config.secrets, token] };
}
