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
import { currentSystem } from "../service/target_system.ts";
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
import { machineChecks } from "./doctor_machine.ts";
import { panelChecks } from "./doctor_panel.ts";
import { configCheck, versionCheck } from "./doctor_program.ts";
import { runningAgent, serviceChecks } from "./doctor_service.ts";
import { terminalColumns } from "./output.ts";
import { AS_SERVICE, runAsService } from "./doctor_as_service.ts";

/** Checks everything; the exit code is 1 if a check has failed. */
export async function runDoctor(asked: Config, context: CommandContext): Promise<number> {
  const config = await withRegisteredToken(asked);
  const { env, signal } = context;
  const options = { signal, secrets: [...context.secrets, ...config.secrets] };
  const record = attempt(() => installedRecord(config.serviceName, env));
  const health = runningAgent(config, env);
  const ofMachine = machineChecks(config, { ...supportedPlatform(), health });
  if (env[AS_SERVICE] !== undefined) {
    const checks = [...allPanelChecks(config, record?.config), ...ofMachine];
    for await (const check of runChecks(checks, options)) {
      context.print(`${JSON.stringify({ check })}\n`);
    }
    return 0;
  }
  const shown = new ShownChecks(config, context);
  const ofService = serviceChecks(config, { env, health });
  await shown.add(runChecks([configCheck(config), ...ofService], options));
  const { tools } = currentSystem({ env, printLine: () => {} });
  const run = await runAsService(config, record, { env, tools, signal });
  if (run !== undefined) {
    // As whom, and in what limits, the following checks run.
    const testedAs = check("environment", "Tested as", () => run.result);
    await shown.add(runChecks([testedAs], options));
  }
  if (run?.checks === undefined) {
    const proxies = run?.proxies ?? config.proxies;
    const ofPanels = allPanelChecks({ ...config, proxies }, record?.config);
    // The last one seals this process.
    const last = ofMachine.slice(-1);
    const checks = [...ofPanels, ...ofMachine.slice(0, -1), versionCheck(config), ...last];
    await shown.add(runChecks(checks, options));
  } else {
    await shown.add(run.checks.flatMap((value) => parseCheck(value, options.secrets)));
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

/**
 * The checks of each panel; they name it if there are several. `installedConfig` is the file of the
 * installed service, which is not for this user where no panel is known.
 */
export function allPanelChecks(config: Config, installedConfig?: string): readonly Check[] {
  if (config.furtherPanels.length === 0) {
    return panelChecks(config, { unreadableConfig: installedConfig });
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
  // It is read only, and so never opened.
  const store = new NodeStore(stateFolder(config), { ignoreDamage: true });
  const token = store.find(config.endpoint)?.token;
  if (token === undefined) return config;
  return { ...config, token, secrets: [...config.secrets, token] };
}
