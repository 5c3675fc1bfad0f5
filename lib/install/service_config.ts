import type { Config } from "../config/config.ts";
import { configText } from "../config/config_text.ts";
import { fullPaths } from "./full_paths.ts";

/**
 * The configuration file of a service that does what this one was asked to do.
 *
 * Paths become full, since a service starts elsewhere. `stateFolder` is written where the program
 * would not find it by itself.
 */
export function serviceConfigText(
  { install, token }: Pick<Config, "install" | "token">,
  { folder, stateFolder }: { folder: string; stateFolder: string | undefined },
): string {
  const given = fullPaths(install.given, folder);
  if (token !== "") given.set("token", token);
  if (stateFolder !== undefined) given.set("state_dir", stateFolder);
  return configText(given);
}
