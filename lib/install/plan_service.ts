import type { Config } from "../config/config.ts";
import { knowsReleases } from "../config/knows_releases.ts";
import { releaseFlags } from "../config/release_flags.ts";
import { updateFolder } from "../host/update_folder.ts";
import type { ServicePlan } from "../service/service_plan.ts";
import { fullPaths } from "./full_paths.ts";
import type { InstallFacts } from "./install_facts.ts";
import { scopeOf, type Site } from "./site.ts";

/** Says what the service is, from what was asked for and what was installed before. */
export function planService(config: Config, site: Site, facts: InstallFacts): ServicePlan {
  const { places, user, before, deno, kind } = facts;
  const { install, proxies, update } = config;
  const hasProxies = Object.keys(proxies).length > 0 ||
    (before?.files.includes(places.environmentFile) ?? false);
  const folder = install.folder || folderOf(before?.program ?? "") || places.programFolder;
  const program = `${folder}/${install.serviceName}`;
  const stateFolder = install.given.get("state_dir") || places.stateFolder;
  return {
    name: install.serviceName,
    scope: scopeOf(site),
    program,
    config: places.config,
    environmentFile: hasProxies ? places.environmentFile : undefined,
    user: user.name,
    stateFolder,
    updateFolder: updateFolder(program),
    runtimeFolder: places.runtimeFolder,
    logFile: places.logFile,
    deno,
    sandbox: user.name === "root" && config.remoteControl ? "none" : facts.sandbox,
    usesDevices: config.gpu,
    releaseFlags: releaseFlags(fullPaths(install.given, site.folder)),
    // Elsewhere nobody but root could write the program.
    isUpdated: kind === "systemd" && update.automatic && knowsReleases(update),
  };
}

/** Whether the manager makes the folder of the state, with the right owner. */
export function isMadeByManager(service: ServicePlan, { kind, places }: InstallFacts): boolean {
  return kind === "systemd" && service.scope === "system" &&
    service.stateFolder === places.stateFolder;
}

/** The folder in which a path lies; empty for what is no path. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
