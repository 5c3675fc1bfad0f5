import { delay } from "@std/async/delay";
import type { Config } from "../config/config.ts";
import { requireNode } from "../config/credentials.ts";
import { readHealth } from "../host/health_file.ts";
import { knowsReleases, VERSION } from "../version.ts";
import { type InstallContext, isLingering, readInstallContext } from "./install_context.ts";
import { type InstallPlan, planInstall } from "./install_plan.ts";
import type { InstallRecord } from "./install_record.ts";
import { applySteps, describeStep, type Step } from "./install_step.ts";
import { officialAgentWarning } from "./official_agent.ts";
import { environmentWord } from "./service_environment.ts";
import type { ServicePlan } from "./service_manager.ts";
import type { TargetSystem } from "./target_system.ts";
import { updateServiceName } from "./update_service.ts";

/**
 * What was asked for, completed by what root was told at the last time and goes by; with a notice
 * where the service's configuration says otherwise.
 */
export function mergePrevious(config: Config, previous: InstallRecord | undefined): Config {
  const { install, notices, update } = config;
  const given = new Map([...Object.entries(previous?.rootOptions ?? {}), ...install.given]);
  // Services of another name have it in their configuration without being told.
  const known = new Map([["state_dir", previous?.stateFolder], ...given]);
  const differing = Array.from(install.passedOver).filter(([key, text]) => known.get(key) !== text);
  return {
    ...config,
    install: { ...install, given },
    update: { ...update, url: update.url || (given.get("update_url") ?? "") },
    notices: [
      ...notices,
      ...differing.map(([key]) =>
        `key ${key} of the installed configuration is left out, for that file is not root's own; ` +
        "a flag or a variable says it"
      ),
    ],
  };
}

/** Tells the user what was installed, where, and what is to know about it. */
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
  printLine(`  Updates        ${describeUpdates(service, config)}`);
  printLine(`  Log            ${manager.logHint}`);
  printLine(`  Remove it by   ${remove}`);
  if (context.link === "taken") {
    printLine(`  ${context.paths.link} is not made: another file is in its place`);
  }
  const { lingerUser } = context;
  if (lingerUser !== undefined && !isLingering(lingerUser, system)) {
    printLine(`  It ends with your login; by root: loginctl enable-linger ${lingerUser}`);
  }
  if (!record.trees.includes(service.stateFolder)) {
    printLine(
      `  ${service.stateFolder} was there before: see to it that the service may write in it`,
    );
  }
  if (service.sandbox === "without view") {
    printLine(
      "  Protected by less than usual: this machine lets no service have a view of its own",
    );
  }
  if (config.remoteControl && scope === "system" && service.user !== "root") {
    printLine(
      "  Remote control sees the machine as that user does, and can't change it; see --as-root",
    );
  }
}

function describeUpdates(
  { isUpdated, name }: InstallPlan["service"],
  { update }: Config,
): string {
  if (isUpdated) return `every 6 h, by ${updateServiceName(name)}`;
  if (!update.automatic) return "off";
  if (!knowsReleases(update)) return "off: this build does not know where releases are";
  return "by `update --now` as root";
}

/** How long the panel has for the first report, and how often is looked. */
export interface ReportWait {
  readonly timeoutMs: number;
  readonly pollIntervalMs: number;
}

/** What users were promised. */
export const DEFAULT_REPORT_WAIT: ReportWait = { timeoutMs: 30_000, pollIntervalMs: 250 };

/** Whether the agent that was started since then has had a report accepted, within its time. */
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

/** What ends the waiting, and how long it takes. */
export interface InstallOptions {
  readonly signal: AbortSignal;
  readonly wait?: ReportWait;
  /** What else is done when all is in its place, and before it starts. */
  readonly beforeStart?: (service: ServicePlan) => readonly Step[];
  /** Whether all of it goes again when no report is accepted. */
  readonly isTrial?: boolean;
}

/**
 * Installs this program as a service, starts it, and waits for the first accepted report; tells the
 * user what was done.
 *
 * What was installed before is brought up to date. With `--print` it is only told what would be done.
 *
 * @returns Why the reports were not accepted; `undefined` when they are, and with `--print`.
 * @throws {UsageError} When it can't be installed here as was asked; nothing was done then.
 * @throws {Error} When a step failed; whatever was done before it is in the record.
 */
export async function install(
  asked: Config,
  system: TargetSystem,
  { signal, wait = DEFAULT_REPORT_WAIT, beforeStart = () => [], isTrial = false }: InstallOptions,
): Promise<string | undefined> {
  requireNode(asked, { verb: "install" });
  const context = await readInstallContext(asked, system, signal);
  const config = mergePrevious(asked, context.previous);
  const plan = planInstall(config, system, context);
  for (const notice of config.notices) system.printLine(`Note: ${notice}`);
  if (config.install.print) {
    const steps = [...plan.prepare, ...beforeStart(plan.service), ...plan.start];
    printSteps(steps, { system, secrets: config.secrets });
    return undefined;
  }
  await applySteps(plan.prepare, { system, signal });
  await applySteps(beforeStart(plan.service), { system, signal });
  const sinceMs = Date.now();
  await applySteps(plan.start, { system, signal });
  if (isTrial) {
    system.printLine(`Started komari-agent-deno ${VERSION}, which stays if it is accepted.`);
  } else printSummary(plan, { system, context, config });
  const beside = config.install.replace
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
  return `the panel has accepted no report within ${limit}`;
}

/** Tells what would be done, without any of the secrets. */
export function printSteps(
  steps: readonly Step[],
  { system, secrets }: { system: Pick<TargetSystem, "printLine">; secrets: readonly string[] },
): void {
  // Files have them with the escapes of their format.
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
      ? `${service.name} runs${
        isTrial ? "" : " and goes on trying"
      }, but nothing was accepted so far.`
      : `${service.name} was started and does not run.`,
  );
  if (lines.length > 0) system.printLine("The last lines of its log:");
  for (const line of lines) system.printLine(`  ${line}`);
}
