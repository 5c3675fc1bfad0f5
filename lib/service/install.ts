import type { Config } from "../config/config.ts";
import { secretsOf } from "../config/credentials.ts";
import { readHealth } from "../state/health_reader.ts";
import { panelNames } from "../config/panels.ts";
import { describeError } from "../log/log.ts";
import { PROGRAM, VERSION } from "../version.ts";
import { isLingering } from "./install_context.ts";
import { hasRemoteControl, type InstallPlan, planInstall, updatesText } from "./install_plan.ts";
import { panelLines } from "./panel_choice.ts";
import { applySteps, describeStep, type Step } from "./install_step.ts";
import {
  beginTrial,
  discardFiles,
  type InstallTrial,
  isWorse,
  type PanelResult,
  REPORT_TIMEOUT_MS,
  rollBackTrial,
  waitForReports,
} from "./install_trial.ts";
import { officialAgentWarning } from "./official_agent.ts";
import { environmentWord, serviceFlags, updateServiceName } from "./service_files.ts";
import type { ServicePlan } from "./service_manager.ts";
import type { TargetSystem } from "./target_system.ts";

/** Options of {@linkcode install}. */
export interface InstallOptions {
  readonly signal: AbortSignal;
  /** What no output shows; gets the secrets of the installation before. */
  readonly secrets?: string[];
  /** Further steps between preparing the files and starting the service. */
  readonly beforeStart?: (service: ServicePlan) => readonly Step[];
  /** Whether the caller has tried the token, and uninstalls again when no report is accepted. */
  readonly isTrial?: boolean;
}

/**
 * Installs this program as a service, starts it, and waits until each panel has accepted a report.
 *
 * An existing installation is updated; where the panel accepts reports of that one and none of the
 * new one, it is put back. With `--print` only the steps are printed.
 *
 * @returns The reason when a panel accepted no report in time; `undefined` on success and with
 * `--print`.
 * @throws {UsageError} When the request can't be met on this machine; nothing was changed.
 * @throws {Error} When a step failed; the record lists everything done before it, and an installation
 * that has worked before is back.
 */
export async function install(
  asked: Config,
  system: TargetSystem,
  { signal, secrets = [], beforeStart = () => [], isTrial = false }: InstallOptions,
): Promise<string | undefined> {
  const plan = await planInstall(asked, system, signal);
  const { config, installed, previous } = plan;
  const ofProxies = secretsOf({ tokens: [], headers: [], proxies: config.proxies });
  secrets.push(...config.secrets, ...ofProxies);
  for (const notice of config.notices) system.printLine(`Note: ${notice}`);
  if (!isTrial) await requireKnownToken(config, system, signal);
  const prepare = [...plan.prepare, ...beforeStart(plan.service)];
  if (config.print) {
    const lines = installed.length === 0 ? [] : panelLines(config, installed);
    for (const line of lines) system.printLine(line.trim());
    printSteps([...prepare, ...plan.start], system, secrets);
    return undefined;
  }
  const before = previous && readHealth([system.root + previous.runtimeFolder]);
  const trial = await beginTrial(plan, before);
  const mayReturn = isTrial || trial !== undefined;
  const folder = system.root + plan.service.runtimeFolder;
  let refusal: string | undefined;
  let isRefused: boolean;
  try {
    await applySteps(prepare, system, signal);
    const sinceMs = Date.now();
    await applySteps(plan.start, system, signal);
    if (mayReturn) {
      system.printLine(`Started ${PROGRAM} ${VERSION}; it stays if the panel accepts it.`);
    } else printSummary(plan);
    const beside = isTrial
      ? undefined
      : await officialAgentWarning(plan.record.manager, system, signal);
    if (beside !== undefined) system.printLine(`  ${beside}`);
    system.printLine(`Waiting up to ${LIMIT} for the first accepted report …`);
    const panels = [config, ...config.furtherPanels];
    const results = await waitForReports(
      { folder, sinceMs, panels: panelNames(panels), before: trial && before },
      signal,
    );
    refusal = printResults(results, system);
    for (const { part, text } of readHealth([folder])?.problems ?? []) {
      // Without a registration there is no token to report with.
      const effect = part === "registration" ? "" : ", but reports continue";
      system.printLine(`Note: ${part} does not work${effect}: ${text}`);
    }
    isRefused = trial !== undefined && isWorse(trial, results);
    if (!results.some(({ isAccepted }) => isAccepted)) {
      await printLastLog(plan, { signal, isTrial: mayReturn });
    }
  } catch (error) {
    if (trial === undefined) throw error;
    if (signal.aborted) system.printLine("Interrupted.");
    try {
      await rollBack(trial);
    } catch (cause) {
      throw new Error(`Cannot install: ${describeError(error)}`, { cause });
    }
    throw new Error("Cannot install; the previous installation was restored", { cause: error });
  }
  if (trial !== undefined && isRefused) {
    await rollBack(trial);
    return `${refusal}; the previous installation was restored`;
  }
  if (refusal !== undefined && isTrial) return refusal;
  if (trial !== undefined) await discardFiles(trial.saved);
  if (mayReturn) printSummary(plan);
  return refusal;
}

/** Prints what was installed, where, and what the user should know about it. */
function printSummary(
  { config, system, manager, service, record, installed }: InstallPlan,
): void {
  const { name, scope, program, user } = service;
  const [link] = record.links;
  const command = link !== undefined && scope === "system" ? name : program;
  const { manager: kind, enabledLinger } = record;
  const shown = scope === "user"
    ? `${name} (${kind}), of this user`
    : `${name} (${kind}), as user ${user}`;
  const lines = [
    `Installed ${PROGRAM} ${VERSION}:`,
    `  Program        ${program}`,
    `  Configuration  ${service.config}`,
    ...panelLines(config, installed),
    `  Service        ${shown}`,
    `  Updates        ${updatesText(config) ?? `every 6 h, by ${updateServiceName(name)}`}`,
    `  Log            ${manager.logHint}`,
    `  Uninstall      ${[command, "uninstall", ...serviceFlags(name)].join(" ")}`,
    link !== undefined && scope === "user" && `  Command        ${link}`,
    enabledLinger !== "" && !isLingering(enabledLinger, system) &&
    `  The service stops when you log out; to keep it, root runs: loginctl enable-linger ${enabledLinger}`,
    service.sandbox === "no mounts" &&
    "  Sandbox: partial; this machine allows no mount namespaces for services",
    hasRemoteControl(config) && scope === "system" && user !== "root" &&
    "  Remote control runs as that user, not as root; see --as-root",
  ];
  for (const line of lines) if (line !== false) system.printLine(line);
}

const LIMIT = `${REPORT_TIMEOUT_MS / 1000} s`;

/** Names each panel and its result; returns why the installation has failed, if it has. */
function printResults(
  results: readonly PanelResult[],
  { printLine }: TargetSystem,
): string | undefined {
  const silent: string[] = [];
  for (const { panel, isAccepted, error } of results) {
    if (isAccepted) {
      printLine(`${panel} accepts its reports.`);
      continue;
    }
    printLine(`${panel} has accepted no report${error === undefined ? "" : `: ${error}`}`);
    silent.push(panel);
  }
  return silent.length === 0
    ? undefined
    : `${silent.join(" and ")} accepted no report within ${LIMIT}`;
}

/** @throws {Error} When the installation before can't be put back, or does not report again. */
async function rollBack(trial: InstallTrial): Promise<void> {
  const { printLine } = trial.plan.system;
  printLine("Restoring the previous installation …");
  let reports: boolean;
  try {
    reports = await rollBackTrial(trial);
  } catch (cause) {
    const message = "Cannot restore the previous installation";
    // After an abort no error is printed, but the user must know.
    printLine(`${message}: ${describeError(cause)}`);
    throw new Error(message, { cause });
  }
  printLine(
    reports
      ? "It is back, and the panel accepts its reports."
      : "It is back and keeps trying, but no report has been accepted yet.",
  );
}

/**
 * Tries the token of each panel before anything is written, unless nothing is going to be.
 *
 * @throws {Error} When a panel rejects its token. One that can't be reached is only named, since it may
 * be down for now.
 */
export async function requireKnownToken(
  config: Config,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<void> {
  if (config.print) return;
  for (const { endpoint, token } of [config, ...config.furtherPanels]) {
    if (token === "") continue;
    let isKnown = true;
    try {
      isKnown = await system.isTokenKnown({ ...config, endpoint, token }, signal);
    } catch (error) {
      signal.throwIfAborted();
      system.printLine(`Note: the token could not be checked: ${describeError(error)}`);
    }
    if (isKnown) continue;
    throw new Error(
      `Cannot install: ${endpoint} does not know this token, so nothing was changed; copy it ` +
        "again from the panel, where it follows -t in the node's install command",
    );
  }
}

/** Prints steps with all secrets hidden. */
export function printSteps(
  steps: readonly Step[],
  system: TargetSystem,
  secrets: readonly string[] = [],
): void {
  // Files contain them with the escapes of their format.
  const spellings = secrets.flatMap((secret) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    environmentWord(secret),
  ]);
  for (const step of steps) system.printLine(describeStep(step, spellings));
}

async function printLastLog(
  { service: { name }, system: { tools, printLine }, manager }: InstallPlan,
  { signal, isTrial }: { signal: AbortSignal; isTrial: boolean },
): Promise<void> {
  const { output } = await tools.run(manager.logTail, { signal });
  const { code } = await tools.run(manager.isActive, { signal });
  const retries = isTrial ? "" : " and keeps trying";
  printLine(
    code === 0
      ? `${name} is running${retries}, but no report has been accepted yet.`
      : `${name} was started but is not running.`,
  );
  const lines = output.trim().split("\n").slice(-5).filter((line) => line !== "");
  if (lines.length > 0) printLine("Last lines of its log:");
  for (const line of lines) printLine(`  ${line}`);
  // The one that is tried is gone by then.
  if (!isTrial) {
    printLine(`This finds out why: ${[PROGRAM, "doctor", ...serviceFlags(name)].join(" ")}`);
  }
}
