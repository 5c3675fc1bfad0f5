import type { Config } from "../config/config.ts";
import { knowsReleases } from "../config/knows_releases.ts";
import { releaseFlags } from "../config/release_flags.ts";
import { updateFolder } from "../host/update_folder.ts";
import type { ServicePlan } from "../service/service_plan.ts";
import { fullPaths } from "./full_paths.ts";
import type { InstallFacts } from "./install_facts.ts";
import { scopeOf, type Site } from "./site.ts";
import { folderOf } from "../parse/path_parts.ts";

/** Says what the service is, from what was asked for and what was installed before. */
export function planService(config: Config, site: Site, facts: InstallFacts): ServicePlan {
  const { places, user, before, deno } = facts;
  const { install, proxies, update } = config;
  const hasProxies = Object.keys(proxies).length > 0 ||
    (before?.files.includes(places.environmentFile) ?? false);
  const folder = install.folder || folderOf(before?.program ?? "") || places.programFolder;
  const program = `${folder}/${install.serviceName}`;
  const stateFolder = install.given.get("state_dir") || places.stateFolder;
  const isUpdated = update.automatic && knowsReleases(update) && isUpdatedApart(facts, site);
  return {
    name: install.serviceName,
    scope: scopeOf(site),
    program,
    config: places.config,
    environmentFile: hasProxies ? places.environmentFile : undefined,
    updateEnvironmentFile: hasProxies && isUpdated ? updateEnvironmentFile(facts) : undefined,
    user: user.name,
    stateFolder,
    updateFolder: updateFolder(program),
    runtimeFolder: places.runtimeFolder,
    logFile: places.logFile,
    deno,
    sandbox: user.name === "root" && config.remoteControl ? "none" : facts.sandbox,
    usesDevices: config.gpu,
    releaseFlags: releaseFlags(fullPaths(install.given, site.folder)),
    isUpdated,
  };
}

/** Whether newer versions come by a service of their own, since the agent can't write its program. */
function isUpdatedApart({ kind, user, deno }: InstallFacts, site: Site): boolean {
  if (kind === "systemd") return true;
  if (scopeOf(site) === "user" || user.name === "root") return false;
  // Whom it runs as on a Mac may own that Deno, which root must not start then.
  return kind !== "launchd" || deno === undefined;
}

/** Root must not read, as commands, what the service's user may write. */
function updateEnvironmentFile({ kind, user, places }: InstallFacts): string {
  const isUsers = kind === "launchd" && user.name !== "";
  return isUsers ? places.updateEnvironmentFile : places.environmentFile;
}

/** Whether the manager makes the folder of the state, with the right owner. */
export function isMadeByManager(service: ServicePlan, { kind, places }: InstallFacts): boolean {
  return kind === "systemd" && service.scope === "system" &&
    service.stateFolder === places.stateFolder;
}
