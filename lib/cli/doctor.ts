/**
 * The command `doctor`: checks everything between this machine and its panel, and says what to do.
 *
 * Where it can it tests the service and not the shell that it runs in: it has systemd run it once
 * more, as the service's user, with its variables and in its limits, and shows what that has found.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { panelName } from "../config/panels.ts";
import { installedRecord } from "../service/installed_service.ts";
import { stateFolder } from "../state/paths.ts";
import {
  type Check,
  check,
  checksJson,
  checkText,
  type CompletedCheck,
  parseCheck,
  runChecks,
  summaryText,
} from "./checks.ts";
import { type CommandContext, supportedPlatform } from "./command.ts";
import { configCheck, machineChecks, versionCheck } from "./doctor_machine.ts";
import { panelChecks } from "./doctor_panel.ts";
import { serviceChecks } from "./doctor_service.ts";
import { terminalColumns } from "./output.ts";
import { AS_SERVICE, runAsService, type ServiceRun } from "./doctor_as_service.ts";

/** Checks everything; the exit code is 1 if a check has failed. */
export async function runDoctor(asked: Config, context: CommandContext): Promise<number> {
  const config = await withRegisteredToken(asked);
  const { env, signal } = context;
  const options = { signal, secrets: [...context.secrets, ...config.secrets] };
  const testedHere = [
    ...allPanelChecks(config, env),
    ...machineChecks(config, { ...supportedPlatform(), env }),
  ];
  if (env[AS_SERVICE] !== undefined) {
    for await (const check of runChecks(testedHere, options)) {
      context.print(`${JSON.stringify({ check })}\n`);
    }
    return 0;
  }
  const shown = new ShownChecks(config, context);
  await shown.add(runChecks([configCheck(config), ...serviceChecks(config, { env })], options));
  const run = await runAsService(config, context);
  if (run !== undefined) await shown.add(runChecks([testedAs(run)], options));
  if (run?.checks === undefined) {
    const proxies = run?.proxies ?? config.proxies;
    await shown.add(runChecks(allPanelChecks({ ...config, proxies }, env), options));
    // The last one seals this process.
    const [seal, ...others] = machineChecks(config, { ...supportedPlatform(), env }).toReversed();
    const last = [
      ...others.toReversed(),
      versionCheck(config),
      ...seal === undefined ? [] : [seal],
    ];
    await shown.add(runChecks(last, options));
  } else {
    const found = run.checks.flatMap((value) => parseCheck(value, options.secrets));
    await shown.add(found);
    await shown.add(runChecks([versionCheck(config)], options));
  }
  return shown.end();
}

/** Prints checks as they end. */
class ShownChecks {
  readonly #all: CompletedCheck[] = [];
  readonly #config: Config;
  readonly #context: CommandContext;

  constructor(config: Config, context: CommandContext) {
    this.#config = config;
    this.#context = context;
  }

  async add(checks: AsyncIterable<CompletedCheck> | Iterable<CompletedCheck>): Promise<void> {
    const { json, language } = this.#config;
    const layout = {
      language,
      inLanguage: this.#context.inLanguage,
      isColored: Deno.stdout.isTerminal() && !Deno.noColor,
      columns: terminalColumns(this.#context.env),
    };
    for await (const check of checks) {
      const isOfNextPanel = check.panel !== this.#all.at(-1)?.panel;
      this.#all.push(check);
      if (json) continue;
      if (isOfNextPanel) {
        this.#context.print(check.panel === undefined ? "\n" : `\n${check.panel}\n`);
      }
      this.#context.print(checkText(check, layout));
    }
  }

  /** Prints the sum; the exit code. */
  end(): number {
    const all = this.#all;
    this.#context.print(this.#config.json ? checksJson(all) : `\n${summaryText(all)}\n`);
    return all.some(({ status }) => status === "failed") ? 1 : 0;
  }
}

/** Says as whom and in what limits the following checks run. */
function testedAs({ result: outcome }: ServiceRun): Check {
  return check("environment", "Tested as", () => outcome);
}

/** The checks of each panel; they name it if there are several. */
export function allPanelChecks(
  config: Config,
  env: Readonly<Record<string, string>> = {},
): readonly Check[] {
  if (config.furtherPanels.length === 0) {
    const record = attempt(() => installedRecord(config.serviceName, env));
    return panelChecks(config, { unreadableConfig: record?.config });
  }
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
