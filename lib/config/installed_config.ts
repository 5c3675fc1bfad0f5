import type { Command } from "./args.ts";
import type { ConfigSources } from "./sources.ts";

/** Commands about the agent that is installed, rather than about one that is started now. */
const ABOUT_THE_INSTALLED: readonly string[] = [
  "install",
  "traffic show",
  "traffic set",
  "health",
];

/**
 * The configuration of the installed service, for commands about it; `undefined` when there is none
 * that this user can read.
 */
export function installedConfig(
  command: Command,
  { serviceName, installedConfigs, readText }:
    & Pick<ConfigSources, "installedConfigs" | "readText">
    & { serviceName: string },
): string | undefined {
  if (!ABOUT_THE_INSTALLED.includes(command)) return undefined;
  return installedConfigs?.(serviceName).find((path) => {
    try {
      readText(path);
      return true;
    } catch {
      return false;
    }
  });
}
