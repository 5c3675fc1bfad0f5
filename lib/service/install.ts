import { delay } from "@std/async/delay";
import type { Config } from "../config/config.ts";
import { requireCredentials } from "../config/credentials.ts";
import { readHealth } from "../state/health_reader.ts";
import { describeError } from "../log/log.ts";
import { knowsReleases, releaseKey, VERSION } from "../version.ts";
import { type InstallContext, isLingering, readInstallContext } from "./install_context.ts";
import { hasRemoteControl, type InstallPlan, planInstall } from "./install_plan.ts";
import { choosePanels, readInstalledPanels } from "./panel_choice.ts";
import type { InstallRecord } from "./install_record.ts";
import { applySteps, describeStep, type Step } from "./install_step.ts";
import { officialAgentWarning } from "./official_agent.ts";
import { environmentWord } from "./service_environment.ts";
import type { ServicePlan } from "./service_manager.ts";
import type { TargetSystem } from "./target_system.ts";
import { updateServiceName } from "./update_service.ts";

/**
 * Completes the options given now with those that root gave to the previous installation, and adds
 * a notice for each option that is ignored because the configuration file is not root's.
 */
export function mergePrevious(config: Config, previous: InstallRecord | undefined): Config {
  const { explicitOptions, ignoredOptions, notices, updateUrl, updateKey } = config;
  const given = new Map([...Object.entries(previous?.rootOptions ?? {}), ...explicitOptions]);
  // A service with another name has the default folder in its configuration.
  const known = new Map([["state_dir", previous?.stateFolder], ...given]);
  const differing = Array.from(ignoredOptions).filter(([key, text]) => known.get(key) !== text);
  return {
    ...config,
    explicitOptions: given,
    updateUrl: updateUrl || (given.get("update_url") ?? ""),
    updateKey: updateKey || (given.get("update_key") ?? ""),
    notices: [
      ...notices,
      ...differing.map(([key]) =>
        `key ${key} of the installed configuration is ignored, because root does not own that file; ` +
        "give it as a flag or a variable"
      ),
    ],
  };
}

/** Prints what was installed, where, and what the user should know about it. */
export function printSummary(
  { service, manager, record }: InstallPlan,
  { system, context, config }: { system: TargetSystem; context: InstallContext; config: Config },
): void {
  const { printLine } = system;
  const { name, scope } = service;
  const isUsual = name === "komari-agent-deno";
  const command = record.links.length > 0 && scope === "system" ? name : service.program;
  const remove = `${command} uninstall${isUsual ? "" : ` --install-service-name ${name}`}`;
  const user = scope === "user" ? "of this user" : `as user ${service.user}`;
  printLine(`Installed komari-agent-deno ${VERSION}:`);
  printLine(`  Program        ${service.program}`);
  printLine(`  Configuration  ${service.config}`);
  printLine(`  Service        ${name} (${context.kind}), ${user}`);
  printLine(`  Updates        ${describeUpdates(service, { context, config })}`);
  printLine(`  Log            ${manager.logHint}`);
  printLine(`  Uninstall      ${remove}`);
  if (context.link === "taken") {
    printLine(`  ${context.paths.link} was not created: another file has that name`);
  }
  const { lingerUser } = context;
  if (lingerUser !== undefined && !isLingering(lingerUser, system)) {
    printLine(
      `  The service stops when you log out; to keep it, root runs: loginctl enable-linger ${lingerUser}`,
    );
  }
  if (!record.trees.includes(service.stateFolder)) {
    printLine(
      `  ${service.stateFolder} existed before: make sure that the service may write to it`,
    );
  }
  if (service.sandbox === "no mounts") {
    printLine(
      "  Sandbox: partial; this machine allows no mount namespaces for services",
    );
  }
  if (hasRemoteControl(config) && scope === "system" && service.user !== "root") {
    printLine(
      "  Remote control runs as that user, not as root; see --as-root",
    );
  }
}

function describeUpdates(
  { isUpdated, name }: InstallPlan["service"],
  { context, config }: { context: InstallContext; config: Config },
): string {
  if (isUpdated) return `every 6 h, by ${updateServiceName(name)}`;
  if (!config.autoUpdate) return "off";
  if (!knowsReleases(config)) return "off: this build has no release address";
  if (releaseKey(config) === "") return "off: this build has no key to verify releases with";
  return `off: as root they would run Deno, and other users can change ${context.changeableDeno}`;
}

/** Limits of the wait for the first accepted report. */
export interface ReportWait {
  readonly timeoutMs: number;
  readonly pollIntervalMs: number;
}

/** The README promises a report within 30 s. */
export const DEFAULT_REPORT_WAIT: ReportWait = { timeoutMs: 30_000, pollIntervalMs: 250 };

/** Waits until an agent started since `sinceMs` has had a report accepted; `false` on time-out. */
export async function waitForReport(
  { folder, sinceMs, wait }: { folder: string; sinceMs: number; wait: ReportWait },
  signal: AbortSignal,
): Promise<boolean> {
  for (let waitedMs = 0;; waitedMs += wait.pollIntervalMs) {
    const health = readHealth([folder]);
    if (health?.isRunning && (health.acceptedAtMs ?? 0) >= sinceMs) return true;
    if (waitedMs >= wait.timeoutMs) return false;
    await delay(wait.pollIntervalMs, { signal });
  }
}

/** Options of {@linkcode install}. */
export interface InstallOptions {
  readonly signal: AbortSignal;
  readonly wait?: ReportWait;
  /** Further steps between preparing the files and starting the service. */
  readonly beforeStart?: (service: ServicePlan) => readonly Step[];
  /** Whether the caller has tried the token, and uninstalls again when no report is accepted. */
  readonly isTrial?: boolean;
}

/**
 * Installs this program as a service, starts it, and waits for the first accepted report.
 *
 * An existing installation is updated. With `--print` only the steps are printed.
 *
 * @returns The reason when no report was accepted in time; `undefined` on success and with
 * `--print`.
 * @throws {UsageError} When the request can't be met on this machine; nothing was changed.
 * @throws {Error} When a step failed; the record lists everything done before it.
 */
export async function install(
  asked: Config,
  system: TargetSystem,
  { signal, wait = DEFAULT_REPORT_WAIT, beforeStart = () => [], isTrial = false }: InstallOptions,
): Promise<string | undefined> {
  requireCredentials(asked, { verb: "install" });
  const context = await readInstallContext(asked, system, signal);
  const { previous } = context;
  const config = choosePanels(
    mergePrevious(asked, previous),
    previous && readInstalledPanels(system.root + previous.config),
  );
  const plan = planInstall(config, system, context);
  for (const notice of config.notices) system.printLine(`Note: ${notice}`);
  if (!isTrial) await requireKnownToken(config, system, signal);
  if (config.print) {
    const steps = [...plan.prepare, ...beforeStart(plan.service), ...plan.start];
    printSteps(steps, { system, secrets: config.secrets });
    return undefined;
  }
  await applySteps(plan.prepare, { system, signal });
  await applySteps(beforeStart(plan.service), { system, signal });
  const sinceMs = Date.now();
  await applySteps(plan.start, { system, signal });
  if (isTrial) {
    system.printLine(`Started komari-agent-deno ${VERSION}; it stays if the panel accepts it.`);
  } else printSummary(plan, { system, context, config });
  const beside = config.replace
    ? undefined
    : await officialAgentWarning(context.kind, system, signal);
  if (beside !== undefined) system.printLine(`  ${beside}`);
  const limit = `${wait.timeoutMs / 1000} s`;
  system.printLine(`Waiting up to ${limit} for the first accepted report …`);
  const folder = system.root + plan.service.runtimeFolder;
  if (await waitForReport({ folder, sinceMs, wait }, signal)) {
    system.printLine("The panel accepts its reports.");
    if (isTrial) printSummary(plan, { system, context, config });
    return undefined;
  }
  await printLastLog(plan, { system, signal, isTrial });
  return `the panel accepted no report within ${limit}`;
}

/**
 * Tries the token of each panel before anything is written, unless nothing is going to be.
 *
 * @throws {Error} When a panel rejects its token. One that can't be reached is only named: it may be
 * down for now.
 */
export async function requireKnownToken(
  config: Config,
  system: Pick<TargetSystem, "isTokenKnown" | "printLine">,
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
  { system, secrets }: { system: Pick<TargetSystem, "printLine">; secrets: readonly string[] },
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
  { manager, service }: InstallPlan,
  { system, signal, isTrial }: { system: TargetSystem; signal: AbortSignal; isTrial: boolean },
): Promise<void> {
  const { output } = await system.tools.run(manager.logTail, { signal });
  const lines = output.trim().split("\n").slice(-5).filter((line) => line !== "");
  const { code } = await system.tools.run(manager.isActive, { signal });
  system.printLine(
    code === 0
      ? `${service.name} is running${
        isTrial ? "" : " and keeps trying"
      }, but no report has been accepted yet.`
      : `${service.name} was started but is not running.`,
  );
  if (lines.length > 0) system.printLine("Last lines of its log:");
  for (const line of lines) system.printLine(`  ${line}`);
}
