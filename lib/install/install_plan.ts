import type { Config } from "../config/config.ts";
import { formatInstallRecord, type InstallRecord } from "../service/install_record.ts";
import type { ServiceManager } from "../service/managed_service.ts";
import { serviceManager } from "../service/service_manager.ts";
import type { ServicePlan } from "../service/service_plan.ts";
import { hasUpdateService } from "../service/update_service.ts";
import type { InstallFacts } from "./install_facts.ts";
import { ownedBy, planFiles } from "./plan_files.ts";
import { planRecord } from "./plan_record.ts";
import { isMadeByManager, planService } from "./plan_service.ts";
import type { Site } from "./site.ts";
import { runStep, type Step } from "./step.ts";
import { folderOf } from "../parse/path_parts.ts";

/** All that is going to be done, in its order. */
export interface InstallPlan {
  readonly service: ServicePlan;
  readonly record: InstallRecord;
  readonly manager: ServiceManager;
  /** Puts everything into its place; nothing runs yet that did not before. */
  readonly prepare: readonly Step[];
  /** Starts the service, now and with the machine. */
  readonly start: readonly Step[];
}

/** Says what an installation does and where. */
export function planInstall(config: Config, site: Site, facts: InstallFacts): InstallPlan {
  const service = planService(config, site, facts);
  const { name, scope, logFile, isUpdated } = service;
  const { home, uid } = site;
  const manager = serviceManager(facts.kind, { name, scope, logFile, home, uid });
  const files = planFiles(config, service, { site, facts, manager });
  const record = planRecord(service, { given: config.install.given, site, facts, files });
  const { before } = facts;
  const stale = before?.files.filter((path) => !record.files.includes(path)) ?? [];
  const oldProgram = before?.program === service.program ? undefined : before?.program;
  const { configFolder, record: recordPath } = facts.places;
  const owner = service.user;
  return {
    service,
    record,
    manager,
    prepare: [
      { do: "folder", path: configFolder, mode: scope === "user" ? 0o700 : 0o755 },
      ...(isUpdated ? [] : endUpdates(manager, { before })),
      ...stale.map(removeStep),
      // Before all that is made, so that whatever comes after can be taken away.
      { do: "file", path: recordPath, text: formatInstallRecord(record), mode: 0o644 },
      ...facts.user.make.map(runStep),
      { do: "folder", path: folderOf(service.program), mode: 0o755 },
      { do: "copy", path: service.program, from: site.program.path, mode: 0o755 },
      ...record.links.map((path): Step => ({ do: "link", path, to: service.program })),
      // Nobody's folder with other things in it is given away.
      ...(isMadeByManager(service, facts) || !record.trees.includes(service.stateFolder) ? [] : [
        { do: "folder", path: service.stateFolder, mode: 0o700, ...ownedBy(owner) } as const,
        ...handOver(service, { before }),
      ]),
      ...(oldProgram === undefined ? [] : [removeStep(oldProgram)]),
      ...files,
      ...manager.reload.map(runStep),
    ],
    start: [...manager.restart, ...manager.enable(service), ...linger(facts)].map(runStep),
  };
}

/** While the record still tells of them. */
function endUpdates(
  { disableUpdates }: ServiceManager,
  { before }: Pick<InstallFacts, "before">,
): Step[] {
  return before !== undefined && hasUpdateService(before) ? disableUpdates.map(runStep) : [];
}

function removeStep(path: string): Step {
  return { do: "remove", path };
}

/** What root's service has written in its folder is closed to the user who comes after root. */
function handOver(
  { user, stateFolder }: ServicePlan,
  { before }: Pick<InstallFacts, "before">,
): Step[] {
  const isNeeded = before?.user === "root" && before.stateFolder === stateFolder &&
    user !== "root";
  // No link is followed, wherever it leads.
  return isNeeded ? [runStep({ tool: "chown", args: ["-hR", `${user}:`, stateFolder] })] : [];
}

function linger({ notLingering }: InstallFacts) {
  if (notLingering === undefined) return [];
  const args = ["--no-ask-password", "enable-linger", notLingering];
  return [{ tool: "loginctl", args, mayFail: true }];
}
