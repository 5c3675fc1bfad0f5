import type { InstallRecord } from "../service/install_record.ts";
import { ROOT_KEYS } from "../config/root_keys.ts";
import type { ServicePlan } from "../service/service_plan.ts";
import type { InstallFacts } from "./install_facts.ts";
import { fullPaths } from "./full_paths.ts";
import { missingFolders } from "./missing_folders.ts";
import type { Site } from "./site.ts";
import type { Step } from "./step.ts";
import { folderOf } from "../parse/path_parts.ts";

/** Notes what this installation makes, and what the one before has made. */
export function planRecord(
  service: ServicePlan,
  { given, site, facts, files }: {
    given: ReadonlyMap<string, string>;
    site: Site;
    facts: InstallFacts;
    files: readonly Step[];
  },
): InstallRecord {
  const { places, before, kind, user } = facts;
  const { program, config, stateFolder, runtimeFolder, logFile } = service;
  const { environmentFile, updateEnvironmentFile } = service;
  const paths = new Set(files.flatMap((step) => step.do === "file" ? [step.path] : []));
  for (const path of [environmentFile, updateEnvironmentFile]) {
    if (path !== undefined) paths.add(path);
  }
  paths.delete(config);
  const links = facts.link === "free" ? [places.link] : [];
  const folders = missingFolders([program, config, stateFolder, ...paths, ...links], site);
  const trees = [
    places.stateFolder,
    service.updateFolder,
    runtimeFolder,
    // One that was there before may hold what is not ours.
    ...(isFreeFolder(site.root + stateFolder) ? [stateFolder] : []),
  ];
  return {
    service: service.name,
    manager: kind,
    scope: service.scope,
    user: service.user,
    madeUser: user.make.length > 0 || (before?.madeUser ?? false),
    madeLinger: facts.notLingering ?? before?.madeLinger ?? "",
    program,
    config,
    stateFolder,
    runtimeFolder,
    logFile,
    files: [...paths],
    links,
    folders: [
      ...new Set([folderOf(program), places.configFolder, ...folders, ...before?.folders ?? []]),
    ],
    trees: [...new Set([...trees, ...before?.trees ?? []])],
    told: Object.fromEntries(
      Array.from(fullPaths(given, site.folder)).filter(([key]) => ROOT_KEYS.includes(key)),
    ),
  };
}

/** Whether nothing is there that would not be the service's. */
function isFreeFolder(path: string): boolean {
  try {
    return Deno.readDirSync(path)[Symbol.iterator]().next().done ?? false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}
