import { denoVariables } from "./deno_variables.ts";
import type { ServicePlan } from "./service_plan.ts";

/** The variables that the agent gets where its manager sets none by itself. */
export function agentVariables(plan: ServicePlan): Record<string, string> {
  const { scope, user, stateFolder, runtimeFolder } = plan;
  return {
    ...denoVariables(plan, { folder: stateFolder }),
    // Only root can change its program.
    ...(scope === "system" && user !== "root" && { AGENT_DISABLE_AUTO_UPDATE: "true" }),
    STATE_DIRECTORY: stateFolder,
    RUNTIME_DIRECTORY: runtimeFolder,
  };
}
