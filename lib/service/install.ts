import { delay } from "@std/async/delay";
import type { Config } from "../config/config.ts";
import { requireNode } from "../config/credentials.ts";
import { readHealth } from "../host/health_file.ts";
import { knowsReleases, VERSION } from "../version.ts";
import { findFacts, type InstallFacts, isLingering } from "./install_context.ts";
import { type InstallPlan, planInstall } from "./install_plan.ts";
import type { InstallRecord } from "./install_record.ts";
import { describeStep, type Step, takeSteps } from "./install_step.ts";
import { officialBeside } from "./official_agent.ts";
import { environmentWord } from "./service_environment.ts";
import type { ServicePlan } from "./service_manager.ts";
import type { Site } from "./target_system.ts";
import { updateServiceName } from "./update_service.ts";

/**
 * What was asked for, completed by what root was told at the last time and goes by; with a notice
 * where the service's configuration says otherwise.
 */
export function remembering(config: Config, before: InstallRecord | undefined): Config {
  const { install, notices, update } = config;
  const given = new Map([...Object.entries(before?.told ?? {}), ...install.given]);
  // Services of another name have it in their configuration without being told.
  const known = new Map([["state_dir", before?.stateFolder], ...given]);
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
export function tellInstalled(
  { service, manager, record }: InstallPlan,
  { site, facts, config }: { site: Site; facts: InstallFacts; config: Config },
): void {
  const { say } = site;
  const { name, scope } = service;
  const isUsual = name === "komari-agent-deno";
  const command = record.links.length > 0 && scope === "system" ? name : service.program;
  const remove = `${command} uninstall${isUsual ? "" : ` --install-service-name ${name}`}`;
  const user = scope === "user" ? "of this user" : `as user ${service.user}`;
  say(`Installed komari-agent-deno ${VERSION}:`);
  say(`  Program        ${service.program}`);
  say(`  Configuration  ${service.config}`);
  say(`  Service        ${name} (${facts.kind}), ${user}`);
  say(`  Updates        ${updatesOf(service, config)}`);
  say(`  Log            ${manager.logHint}`);
  say(`  Remove it by   ${remove}`);
  if (facts.link === "taken") {
    say(`  ${facts.places.link} is not made: another file is in its place`);
  }
  const { notLingering } = facts;
  if (notLingering !== undefined && !isLingering(notLingering, site)) {
    say(`  It ends with your login; by root: loginctl enable-linger ${notLingering}`);
  }
  if (!record.trees.includes(service.stateFolder)) {
    say(`  ${service.stateFolder} was there before: see to it that the service may write in it`);
  }
  if (service.sandbox === "without view") {
    say("  Protected by less than usual: this machine lets no service have a view of its own");
  }
  if (config.remoteControl && scope === "system" && service.user !== "root") {
    say("  Remote control sees the machine as that user does, and can't change it; see --as-root");
  }
}

function updatesOf(
  { isUpdated, name }: InstallPlan["service"],
  { update }: Config,
): string {
  if (isUpdated) return `every 6 h, by ${updateServiceName(name)}`;
  if (!update.automatic) return "off";
  if (!knowsReleases(update)) return "off: this build does not know where releases are";
  return "by `update --now` as root";
}

/** How long the panel has for the first report, and how often is looked. */
export interface Patience {
  readonly limitMs: number;
  readonly beatMs: number;
}

/** What users were promised. */
export const USUAL_PATIENCE: Patience = { limitMs: 30_000, beatMs: 250 };

/** Whether the agent that was started since then has had a report accepted, within its time. */
export async function waitForReport(
  { folder, sinceMs, patience }: { folder: string; sinceMs: number; patience: Patience },
  signal: AbortSignal,
): Promise<boolean> {
  for (let waitedMs = 0;; waitedMs += patience.beatMs) {
    const health = readHealth([folder]);
    if (health?.isRunning && (health.acceptedAtMs ?? 0) >= sinceMs) return true;
    if (waitedMs >= patience.limitMs) return false;
    await delay(patience.beatMs, { signal });
  }
}

/** What ends the waiting, and how long it takes. */
export interface InstallOptions {
  readonly signal: AbortSignal;
  readonly patience?: Patience;
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
  site: Site,
  { signal, patience = USUAL_PATIENCE, beforeStart = () => [], isTrial = false }: InstallOptions,
): Promise<string | undefined> {
  requireNode(asked, { verb: "install" });
  const facts = await findFacts(asked, site, signal);
  const config = remembering(asked, facts.before);
  const plan = planInstall(config, site, facts);
  for (const notice of config.notices) site.say(`Note: ${notice}`);
  if (config.install.print) {
    const steps = [...plan.prepare, ...beforeStart(plan.service), ...plan.start];
    printSteps(steps, { site, secrets: config.secrets });
    return undefined;
  }
  await takeSteps(plan.prepare, { site, signal });
  await takeSteps(beforeStart(plan.service), { site, signal });
  const sinceMs = Date.now();
  await takeSteps(plan.start, { site, signal });
  if (isTrial) site.say(`Started komari-agent-deno ${VERSION}, which stays if it is accepted.`);
  else tellInstalled(plan, { site, facts, config });
  const beside = config.install.replace
    ? undefined
    : await officialBeside(facts.kind, site, signal);
  if (beside !== undefined) site.say(`  ${beside}`);
  const limit = `${patience.limitMs / 1000} s`;
  site.say(`Waiting up to ${limit} for the first accepted report …`);
  const folder = site.root + plan.service.runtimeFolder;
  if (await waitForReport({ folder, sinceMs, patience }, signal)) {
    site.say("The panel accepts its reports.");
    if (isTrial) tellInstalled(plan, { site, facts, config });
    return undefined;
  }
  await tellLog(plan, { site, signal, isTrial });
  return `the panel has accepted no report within ${limit}`;
}

/** Tells what would be done, without any of the secrets. */
export function printSteps(
  steps: readonly Step[],
  { site, secrets }: { site: Pick<Site, "say">; secrets: readonly string[] },
): void {
  // Files have them with the escapes of their format.
  const spellings = secrets.flatMap((secret) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    environmentWord(secret),
  ]);
  for (const step of steps) site.say(describeStep(step, spellings));
}

async function tellLog(
  { manager, service }: InstallPlan,
  { site, signal, isTrial }: { site: Site; signal: AbortSignal; isTrial: boolean },
): Promise<void> {
  const { output } = await site.tools.run(manager.lastLog, { signal });
  const lines = output.trim().split("\n").slice(-5).filter((line) => line !== "");
  const { code } = await site.tools.run(manager.isActive, { signal });
  site.say(
    code === 0
      ? `${service.name} runs${
        isTrial ? "" : " and goes on trying"
      }, but nothing was accepted so far.`
      : `${service.name} was started and does not run.`,
  );
  if (lines.length > 0) site.say("The last lines of its log:");
  for (const line of lines) site.say(`  ${line}`);
}
