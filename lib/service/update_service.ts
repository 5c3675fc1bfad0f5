/**
 * What the service that looks for newer versions has in common under each manager.
 *
 * It runs as the program's owner, apart from the agent, which may not write its own program. What it
 * and its Deno remember lies where the agent can't write.
 *
 * @module
 */

import { denoVariables } from "./deno_variables.ts";
import type { InstallRecord } from "./install_record.ts";
import type { ServicePlan } from "./service_plan.ts";
import { nameOf } from "../parse/path_parts.ts";

/** What that service is called; under systemd its unit and its timer, without their endings. */
export function updateServiceName(service: string): string {
  return `${service}-update`;
}

/** Whether an installation has made such a service. */
export function hasUpdateService(
  { service, files }: Pick<InstallRecord, "service" | "files">,
): boolean {
  const name = updateServiceName(service);
  return files.some((path) => [name, `${name}.timer`, `${name}.plist`].includes(nameOf(path)));
}

/** What takes a newer version once. */
export function updateCommand({ program, releaseFlags }: ServicePlan): string[] {
  return [program, "update", "--now", ...releaseFlags];
}

/** The variables that it gets beside those about proxies. */
export function updateVariables(plan: ServicePlan): Record<string, string> {
  return {
    ...denoVariables(plan, { folder: plan.updateFolder }),
    // Where the agent says that its reports are accepted.
    RUNTIME_DIRECTORY: plan.runtimeFolder,
  };
}
