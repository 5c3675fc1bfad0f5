import { WITH_FILE } from "./launchd_plist.ts";
import { propertyList } from "./property_list.ts";
import type { ServicePlan } from "./service_plan.ts";
import { updateCommand, updateServiceName, updateVariables } from "./update_service.ts";

/** The Mac, and the agent on it, are up by then; and whoever installs has seen it report. */
const PAUSE = "sleep 300; ";

/**
 * The description of what takes a newer version, for a Mac's launchd: soon after a start, since one
 * that was cut off goes on then, and every 6 h.
 */
export function launchdUpdatePlist(plan: ServicePlan): string {
  const { updateEnvironmentFile, logFile } = plan;
  const name = updateServiceName(plan.name);
  const start = updateEnvironmentFile === undefined
    ? ['exec "$@"', name]
    : [WITH_FILE, updateEnvironmentFile];
  const [script = "", ...words] = [...start, ...updateCommand(plan)];
  return propertyList({
    Label: name,
    ProgramArguments: ["/bin/sh", "-c", PAUSE + script, ...words],
    EnvironmentVariables: updateVariables(plan),
    RunAtLoad: true,
    StartInterval: 21_600,
    Nice: 10,
    StandardOutPath: logFile,
    StandardErrorPath: logFile,
  });
}
