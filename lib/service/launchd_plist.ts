import { agentVariables } from "./agent_variables.ts";
import { propertyList } from "./property_list.ts";
import type { ServicePlan } from "./service_plan.ts";

/** Starts what follows with the variables of a file, which launchd itself can't read. */
export const WITH_FILE = 'set -a; [ ! -r "$0" ] || . "$0"; exec "$@"';

/** The description of a service for a Mac's launchd. */
export function launchdPlist(plan: ServicePlan): string {
  const { environmentFile, scope, user } = plan;
  const command = [plan.program, "--config", plan.config];
  return propertyList({
    Label: plan.name,
    ProgramArguments: environmentFile === undefined
      ? command
      : ["/bin/sh", "-c", WITH_FILE, environmentFile, ...command],
    EnvironmentVariables: agentVariables(plan),
    ...(scope === "system" && { UserName: user }),
    RunAtLoad: true,
    KeepAlive: true,
    ThrottleInterval: 5,
    StandardOutPath: plan.logFile,
    StandardErrorPath: plan.logFile,
  });
}
