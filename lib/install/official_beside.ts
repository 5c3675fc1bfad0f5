import type { ManagerKind } from "../service/managed_service.ts";
import { serviceManager } from "../service/service_manager.ts";
import { findOfficialAgents } from "./official_services.ts";
import { scopeOf, type Site } from "./site.ts";

/**
 * What is to be said of official agents that run beside this one, in a line; `undefined` when none
 * does.
 */
export async function officialBeside(
  kind: ManagerKind,
  site: Site,
  signal: AbortSignal,
): Promise<string | undefined> {
  const scope = scopeOf(site);
  const { root, home } = site;
  // The machine's run for a user as well.
  const scopes = scope === "user" ? [scope, "system"] as const : [scope];
  const found = scopes.flatMap((it) => findOfficialAgents({ kind, root, home, scope: it }));
  const running = [];
  for (const official of found) {
    const { serviceName: name } = official;
    const place = { ...site, name, scope: official.scope, logFile: "/dev/null" };
    const { code } = await site.tools.run(serviceManager(kind, place).isActive, { signal });
    if (code === 0) running.push(official);
  }
  if (running.length === 0) return undefined;
  const names = running.map(({ serviceName }) => serviceName).join(", ");
  const byRoot = running.every((official) => official.scope === scope) ? "" : " as root";
  return `The official agent runs here too (${names}): both report, as the same node if the token ` +
    `is the same; \`uninstall\` this one, and \`install --replace\`${byRoot} takes its place`;
}
