import type { Config } from "../config/config.ts";
import { knowsReleases } from "../config/knows_releases.ts";
import { requireNode } from "../config/require_node.ts";
import type { ServicePlan } from "../service/service_plan.ts";
import { environmentWord } from "../service/environment_text.ts";
import { VERSION } from "../version.ts";
import { findFacts, isLingering } from "./find_facts.ts";
import type { InstallFacts } from "./install_facts.ts";
import { type InstallPlan, planInstall } from "./install_plan.ts";
import { remembering } from "./remembering.ts";
import type { Site } from "./site.ts";
import { describeStep, type Step } from "./step.ts";
import { takeSteps } from "./take_step.ts";
import { type Patience, USUAL_PATIENCE, waitForReport } from "./wait_for_report.ts";

/** What ends the waiting, and how long it takes. */
export interface InstallOptions {
  readonly signal: AbortSignal;
  readonly patience?: Patience;
  /** What else is done when all is in its place, and before it starts. */
  readonly beforeStart?: (service: ServicePlan) => readonly Step[];
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
  { signal, patience = USUAL_PATIENCE, beforeStart = () => [] }: InstallOptions,
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
  tellPlaces(plan, { site, facts, config });
  site.say("Waiting for the panel to accept a report …");
  const folder = site.root + plan.service.runtimeFolder;
  if (await waitForReport({ folder, sinceMs, patience }, signal)) {
    site.say("The panel accepts its reports.");
    return undefined;
  }
  await tellLog(plan, { site, signal });
  return `the panel has accepted no report within ${patience.limitMs / 1000} s`;
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

function tellPlaces(
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

function updatesOf({ isUpdated, user }: InstallPlan["service"], { update }: Config): string {
  if (isUpdated) return "every 6 h, by a timer";
  if (!update.automatic) return "off";
  if (!knowsReleases(update)) return "off: this build does not know where releases are";
  // Only root can write the program there.
  return user === "root" || user === "" ? "every 6 h" : "by `update --now` as root";
}

async function tellLog(
  { manager, service }: InstallPlan,
  { site, signal }: { site: Site; signal: AbortSignal },
): Promise<void> {
  const { output } = await site.tools.run(manager.lastLog, { signal });
  const lines = output.trim().split("\n").slice(-5).filter((line) => line !== "");
  const { code } = await site.tools.run(manager.isActive, { signal });
  site.say(
    code === 0
      ? `${service.name} runs and goes on trying, but nothing was accepted so far.`
      : `${service.name} was started and does not run.`,
  );
  if (lines.length > 0) site.say("The last lines of its log:");
  for (const line of lines) site.say(`  ${line}`);
}
