import type { Config } from "../config/config.ts";
import { knowsReleases } from "../config/knows_releases.ts";
import { updateServiceName } from "../service/update_service.ts";
import { VERSION } from "../version.ts";
import { isLingering } from "./find_facts.ts";
import type { InstallFacts } from "./install_facts.ts";
import type { InstallPlan } from "./install_plan.ts";
import type { Site } from "./site.ts";

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
  { isUpdated, name, user }: InstallPlan["service"],
  { update }: Config,
): string {
  if (isUpdated) return `every 6 h, by ${updateServiceName(name)}`;
  if (!update.automatic) return "off";
  if (!knowsReleases(update)) return "off: this build does not know where releases are";
  // Only root can write the program there.
  return user === "root" || user === "" ? "every 6 h" : "by `update --now` as root";
}
