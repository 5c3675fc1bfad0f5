import type { Config } from "../config/config.ts";
import { environmentText } from "../service/environment_text.ts";
import type { ServiceManager } from "../service/managed_service.ts";
import type { ServicePlan } from "../service/service_plan.ts";
import type { InstallFacts } from "./install_facts.ts";
import { serviceConfigText } from "./service_config.ts";
import type { Site } from "./site.ts";
import type { Step } from "./step.ts";

/** Writes the configuration, the proxies where there are any, and the files of the service. */
export function planFiles(
  config: Config,
  service: ServicePlan,
  { site, facts, manager }: { site: Site; facts: InstallFacts; manager: ServiceManager },
): Step[] {
  const { places, kind } = facts;
  const { http, https, none } = config.proxies;
  const variables = {
    ...(http !== undefined && { HTTP_PROXY: http }),
    ...(https !== undefined && { HTTPS_PROXY: https }),
    ...(none !== undefined && { NO_PROXY: none }),
  };
  const proxies = environmentText(variables);
  const text = serviceConfigText(config, {
    folder: site.folder,
    stateFolder: service.name === "komari-agent-deno" && service.scope === "system"
      ? undefined
      : service.stateFolder,
  });
  const { user } = service;
  return [
    { do: "file", path: places.config, text, mode: 0o600, ...ownedBy(user) },
    // What was written before stays when there are none today.
    ...(Object.keys(variables).length === 0 ? [] : [
      {
        do: "file",
        path: places.environmentFile,
        text: proxies,
        mode: 0o600,
        // Elsewhere root reads it, as commands: then nobody else may write it.
        ...(kind === "launchd" && ownedBy(user)),
      } as const,
      ...updatesOwn(service, { text: proxies }),
    ]),
    // Nobody makes it for a daemon that does not run as root.
    ...(kind === "launchd" && user !== ""
      ? [{ do: "file", path: service.logFile, text: "", mode: 0o640, ...ownedBy(user) } as const]
      : []),
    ...manager.files(service).map((file): Step => ({ do: "file", ...file })),
  ];
}

/** Updates read the same file where root owns it. */
function updatesOwn(
  { environmentFile, updateEnvironmentFile: path }: ServicePlan,
  { text }: { text: string },
): Step[] {
  if (path === undefined || path === environmentFile) return [];
  return [{ do: "file", path, text, mode: 0o600 }];
}

/** Nothing is given away by a user who installs for himself. */
export function ownedBy(user: string): { owner?: string } {
  return user === "" ? {} : { owner: user };
}
