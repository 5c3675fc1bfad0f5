/**
 * The command `doctor`: checks everything between this machine and its panels, and says which link is
 * broken and what to do.
 *
 * Where it can it tests the service and not the shell that it runs in: it has systemd run it once
 * more, as the service's user, with its variables and in its limits, and shows what that has found.
 *
 * @module
 */

import { settlesWithin } from "../async/timeout.ts";
import type { Config } from "../config/config.ts";
import { panelNames } from "../config/panels.ts";
import { agentFolders } from "../service/installed_record.ts";
import { type UnitSetting, unreadText } from "../service/loaded_unit.ts";
import { type Health, readHealth } from "../state/health_reader.ts";
import { stateFolder } from "../state/paths.ts";
import {
  type Check,
  check,
  type CompletedCheck,
  NO_TIME_LEFT,
  parseCheck,
  runChain,
  type RunChecks,
  runChecks,
} from "./checks.ts";
import { type CommandContext, supportedPlatform } from "./command.ts";
import { proxyVariableNames } from "./doctor_advice.ts";
import { agentReports, agentResult } from "./doctor_agent.ts";
import { checkProbes } from "./doctor_probes.ts";
import { connectionsResult } from "./doctor_connections.ts";
import {
  afterReload,
  compareWithReports,
  lateCheck,
  ofUserScope,
  startFailure,
  withStart,
} from "./doctor_completed.ts";
import {
  AS_SERVICE,
  fileSettings,
  leftAsService,
  parseUnitSettings,
  runAsService,
} from "./doctor_as_service.ts";
import { withComparison, withShellProxy } from "./doctor_comparison.ts";
import { boundedSystem, findInstalled, type FoundService } from "./doctor_found_service.ts";
import { withFirewall } from "./doctor_firewall.ts";
import { machineChecks } from "./doctor_machine.ts";
import { sealCheck } from "./doctor_seal.ts";
import { checkOtherAgents } from "./doctor_other_agents.ts";
import { panelChain } from "./doctor_panel.ts";
import { configCheck, versionCheck } from "./doctor_program.ts";
import { processorTimes, slowProcessor } from "./doctor_processor.ts";
import { inOrder, reportJson, reportText } from "./doctor_report.ts";
import { serviceResult } from "./doctor_service.ts";
import { correction } from "./doctor_unit_program.ts";
import { portOf, USUAL_PORTS, wayTo } from "./doctor_way.ts";
import { reinstall } from "./doctor_options.ts";
import { terminalColumns } from "./output.ts";

/** What waits longer is given up, so that the command ends within 20 s whatever hangs. */
const TOTAL_MS = 18_000;
/** Left of it when the checks as the service have to have ended, and for the end of their process. */
const AFTER_SERVICE_MS = 1_500;
const END_MS = 500;
/** On a busy machine the checks of the panels get its time first; other ones wait so long for them. */
const PANELS_FIRST_MS = 2_000;

/** Checks everything; the exit code is 1 if a check has failed. */
export async function runDoctor(asked: Config, context: CommandContext): Promise<number> {
  const config = await withRegisteredToken(asked);
  const { env, signal, print } = context;
  const totalMs = env[AS_SERVICE] === undefined ? TOTAL_MS : leftAsService(env) - END_MS;
  const options = {
    signal,
    secrets: [...context.secrets, ...config.secrets],
    endsAtMs: performance.now() + totalMs,
  };
  const health = runningAgent(config, env);
  if (env[AS_SERVICE] !== undefined) {
    const unit = parseUnitSettings(env[AS_SERVICE]);
    // The doctor that has started this one names the installed file by --config.
    const installed = { ...config, isConfigInstalled: true };
    // At once, since systemd ends what takes too long.
    const onCheck = (check: CompletedCheck) => print(`${JSON.stringify({ check })}\n`);
    await Array.fromAsync(
      allInShell(installed, { unit, health, options: { ...options, onCheck } }),
    );
    return 0;
  }
  // The cause is the first line, so nothing is shown before all is known.
  if (!config.json && Deno.stderr.isTerminal()) {
    context.printError("Checking, for 20 s at most …");
  }
  const completed = inOrder(await everything(config, { context, health, options }));
  const { json, language } = config;
  const { inLanguage } = context;
  const isColored = Deno.stdout.isTerminal() && !Deno.noColor;
  const layout = { language, inLanguage, isColored, columns: terminalColumns(env) };
  print(json ? reportJson(completed) : reportText(completed, layout));
  return completed.some(({ status }) => status === "failed") ? 1 : 0;
}

/** All checks, each run where it tells most: as the service where that works, else in this shell. */
async function everything(
  config: Config,
  { context: { env }, health, options }: {
    context: CommandContext;
    health: Health | undefined;
    options: RunChecks & { readonly endsAtMs: number };
  },
): Promise<CompletedCheck[]> {
  const { signal, endsAtMs } = options;
  const times = processorTimes();
  const system = boundedSystem(env);
  const found = findInstalled(config, { env, system, isSeen: health !== undefined, signal });
  const checking = Promise.all([
    Array.fromAsync(runChecks(serviceChecks(config, found, { env, health }), options)),
    Array.fromAsync(runChecks([versionCheck(config)], options)),
  ]);
  const service = await found;
  const { record, unit, state } = service;
  // Nothing is known of the panel by a configuration with a mistake, and nothing else.
  const hasPanel = state?.isUnconfigured !== true && config.mistake === undefined;
  const settings = unit?.settings ?? [];
  const leftMs = endsAtMs - performance.now() - AFTER_SERVICE_MS;
  const timeoutMs = Math.max(1_000, Math.round(leftMs));
  const { tools } = system;
  const runOptions = { env, tools, settings, signal, timeoutMs };
  const run = hasPanel ? await runAsService(config, record, runOptions) : undefined;
  let ofRun: CompletedCheck[] = [];
  if (run !== undefined) {
    // As whom, and in what limits, the following checks run.
    const testedAs = check("environment", "Tested as", () => run.result);
    ofRun.push(...await Array.fromAsync(runChecks([testedAs], options)));
  }
  // The seal takes the files from this process that it looks at.
  const error = run?.startError;
  const failure = error === undefined ? undefined : startFailure(error, service);
  if (run?.checks === undefined) {
    const ofConfig = { ...config, proxies: run?.proxies ?? config.proxies };
    const unreadableConfig = record?.config;
    const inShell = allInShell(ofConfig, {
      ...{ unreadableConfig, hasPanel, unit: [], health, options, beside: checking },
    });
    ofRun.push(...await Array.fromAsync(inShell));
  } else {
    const checks = run.checks.flatMap((line) => parseCheck(line, options.secrets));
    const ofService = { name: config.serviceName, user: record?.user ?? "" };
    // A failure by the unit's own variables can't be tried again here.
    const changed = unit !== undefined && unreadText(unit) !== undefined ||
      [...settings, ...fileSettings(settings.filter((it) => it.isOurs !== true))].some((it) =>
        /Environment$/.test(it.name) && /\bAGENT_|_PROXY\b/i.test(it.value)
      );
    const chains = changed ? [] : panelChains({ ...config, proxies: run.proxies });
    const compared = await withComparison(checks, { chains, service: ofService, options });
    ofRun.push(...await withFirewall(compared, { signal }));
    if (run.result.status !== "ok") ofRun.push(...unmadeLinks(config, checks));
  }
  const variable = proxyVariable(config, []);
  if (
    run !== undefined && variable !== undefined &&
    proxyVariable({ ...config, proxies: run.proxies }, settings) === undefined
  ) {
    const [chains, command] = [panelChains(config), reinstall(config)];
    ofRun = await withShellProxy(ofRun, { chains, variable, command, options });
  }
  const made = [...(await checking).flat(), ...ofRun];
  const late = lateCheck(made, performance.now() - endsAtMs + TOTAL_MS);
  const agent = { pid: health?.pid ?? 0, name: config.serviceName };
  const slow = slowProcessor({ ...agent, before: times, isLate: late.length > 0 });
  const reloaded = compareWithReports([...slow, ...made, ...late], agentReports(config, health))
    .map((it) => unit === undefined ? it : afterReload(it, unit));
  const all = error === undefined || failure === undefined
    ? reloaded
    : reloaded.map((it) => withStart(it, { failure, error }));
  return service.scope === "system" ? all : all.map((it) => ofUserScope(it, config.serviceName));
}

/** The checks of the service and of its agent, by what is known of both. */
function serviceChecks(
  config: Config,
  found: Promise<FoundService>,
  { env, health }: { env: CommandContext["env"]; health: Health | undefined },
): readonly Check[] {
  return [
    configCheck(config),
    check("service", "Service", async () => serviceResult(await found, health)),
    check("agent", "Running agent", async () => {
      const { record, state, unit } = await found;
      return agentResult(config, health, {
        logHint: state?.logHint,
        settings: unit?.settings ?? [],
        correct: unit && correction(unit),
        isUnread: record !== undefined && config.endpoint === "" && config.mistake === undefined &&
          state?.isUnconfigured !== true,
      });
    }),
    check("agents", "Other agents", async (signal) => {
      const mainPid = Number((await found).unit?.property("MainPID") ?? 0);
      return await checkOtherAgents(config, { env, health, mainPid, signal });
    }),
    check("connections", "Connections", async () => {
      const settings = (await found).unit?.settings ?? [];
      return connectionsResult(health, proxyVariable(config, settings));
    }),
    check("probes", "Probes", (signal) => checkProbes(config, health, signal)),
  ];
}

/** The links of the ways to the panels that are not among the checks of a process which was ended. */
function unmadeLinks(config: Config, made: readonly CompletedCheck[]): CompletedCheck[] {
  return panelChains(config).flat()
    .filter(({ id, panel }) => !made.some((it) => it.id === id && it.panel === panel))
    .map(({ run: _, ...named }) => ({ ...named, ...NO_TIME_LEFT, ms: 0 }));
}

/** The checks of the panels and of this machine, of this process; the last one seals it. */
export async function* allInShell(
  config: Config,
  { unreadableConfig, hasPanel = true, unit, health, options, beside }: {
    unreadableConfig?: string | undefined;
    /** Checks that run meanwhile, and need what the seal takes. */
    beside?: Promise<unknown>;
    /** Whether the service knows a panel, so that the way to it can be checked. */
    hasPanel?: boolean;
    unit: readonly UnitSetting[];
    health: Health | undefined;
    options: RunChecks;
  },
): AsyncGenerator<CompletedCheck> {
  const platform = { ...supportedPlatform(), health };
  // State and remote control of a configuration that was not read are unknown.
  const isRead = unreadableConfig === undefined || config.endpoint !== "";
  const ofMachine = machineChecks(config, { ...platform, unit })
    .filter(({ id }) => isRead || !["state", "remote"].includes(id));
  const chains = hasPanel ? panelChains(config, { unreadableConfig, unit }) : [];
  const running = chains.map((chain) => Array.fromAsync(runChain(chain, options)));
  await settlesWithin(Promise.all(running), PANELS_FIRST_MS, { signal: options.signal });
  running.push(Array.fromAsync(runChecks(ofMachine, options)));
  // Sealed, this process starts no programs.
  for (const completed of running) yield* await withFirewall(await completed, options);
  await beside;
  yield* runChecks([sealCheck(config, platform)], options);
}

/** The chain of checks to each panel; they name it if there are several. */
export function panelChains(
  config: Config,
  options: Parameters<typeof panelChain>[1] = {},
): (readonly Check[])[] {
  if (config.furtherPanels.length === 0) return [panelChain(config, options)];
  const panels = [config, ...config.furtherPanels];
  const names = panelNames(panels);
  const urls = panels.map(({ endpoint }) => new URL(endpoint));
  return panels.map((settings, index) => {
    const panel = names[index];
    // Where another one of them is, this one is not.
    const taken = urls.filter((url, at) => at !== index && url.hostname === urls[index]?.hostname)
      .map(portOf);
    const usualPorts = (options.usualPorts ?? USUAL_PORTS).filter((port) => !taken.includes(port));
    return panelChain({ ...config, ...settings }, { ...options, usualPorts })
      .map((check) => ({ ...check, panel }));
  });
}

/** The variable that names the proxy on the way to the panel, with the unit's file that sets it. */
function proxyVariable(config: Config, unit: readonly UnitSetting[]): string | undefined {
  if (config.endpoint === "") return undefined;
  const way = wayTo(config, unit);
  const ofUnit = proxyVariableNames(way);
  return way.proxy !== undefined || ofUnit.includes("(") ? ofUnit : undefined;
}

/** The agent of the installed service or of this user, if it runs and this user can see it. */
export function runningAgent(
  config: Config,
  env: Readonly<Record<string, string>>,
): Health | undefined {
  const health = readHealth(agentFolders(config, env));
  return health?.isRunning ? health : undefined;
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
