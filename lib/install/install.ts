import type { Config } from "../config/config.ts";
import { requireNode } from "../config/require_node.ts";
import type { ServicePlan } from "../service/service_plan.ts";
import { environmentWord } from "../service/environment_text.ts";
import { VERSION } from "../version.ts";
import { findFacts } from "./find_facts.ts";
import { type InstallPlan, planInstall } from "./install_plan.ts";
import { officialBeside } from "./official_beside.ts";
import { remembering } from "./remembering.ts";
import type { Site } from "./site.ts";
import { describeStep, type Step } from "./step.ts";
import { takeSteps } from "./take_step.ts";
import { tellInstalled } from "./tell_installed.ts";
import { type Patience, USUAL_PATIENCE, waitForReport } from "./wait_for_report.ts";

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
