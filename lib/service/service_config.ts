/**
 * The configuration file of a service, and the file of its proxies.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { editConfigText } from "../config/config_edit.ts";
import { configText } from "../config/config_file.ts";
import { proxiesFromEnvironment, proxyVariables } from "../config/environment.ts";
import { OPTION_ROWS } from "../config/option_table.ts";
import type { ProxyUrls } from "../parse/proxy.ts";
import { PROGRAM } from "../version.ts";
import type { FileStep } from "./install_step.ts";
import { environmentText, readSavedProxies } from "./service_files.ts";
import type { ServicePlan } from "./service_manager.ts";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { posix } = await import("node:path");

/** Steps that write the configuration and the proxies. */
export function planSettings(
  config: Config,
  { name, scope, user, config: path, stateFolder, environmentFile }: ServicePlan,
  { folder, isMacDaemon }: { folder: string; isMacDaemon: boolean },
): FileStep[] {
  const hasUsualState = name === PROGRAM && scope === "system";
  const text = serviceConfigText(config, {
    folder,
    stateFolder: hasUsualState ? undefined : stateFolder,
  });
  // The service must not write what root decided, such as remote control; all users of a Mac share a
  // group.
  const readers = scope === "system" && user !== "root" && !isMacDaemon
    ? { mode: 0o640, groupOf: user }
    : { mode: 0o600 };
  const file: FileStep = { do: "file", path, text, ...readers };
  if (Object.keys(config.proxies).length === 0) return [file];
  // A shell of root's sources it, so only root may write it.
  const variables = environmentText(proxyVariables(config.proxies));
  return [file, { do: "file", path: environmentFile, text: variables, mode: 0o600 }];
}

/** The proxies given now, and those that a file has saved before, without those of `--unset`. */
export function withSavedProxies({ proxies, unset }: Config, path: string | undefined): ProxyUrls {
  const saved = path === undefined ? {} : readSavedProxies(path) ?? {};
  const all = Object.entries({ ...saved, ...proxyVariables(proxies) });
  return proxiesFromEnvironment(
    Object.fromEntries(all.filter(([name]) => !unset.includes(name))),
  );
}

/**
 * The text of the service's configuration file.
 *
 * It is that of the file that the options come from, edited in place, where there is one. Paths are
 * absolute. `stateFolder` is written only where the agent's default would differ.
 */
export function serviceConfigText(
  { explicitOptions, token, configPath }: Config,
  { folder, stateFolder }: { folder: string; stateFolder: string | undefined },
): string {
  const given = fullPaths(explicitOptions, folder);
  if (token !== "") given.set("token", token);
  if (stateFolder !== undefined) given.set("state_dir", stateFolder);
  const before = configPath && attempt(() => Deno.readTextFileSync(configPath));
  return before ? editConfigText(before, given) : configText(given);
}

/** Makes relative paths absolute, since a service starts in another folder than `folder`. */
export function fullPaths(
  given: ReadonlyMap<string, string>,
  folder: string,
): Map<string, string> {
  return new Map(Array.from(given, ([key, text]) => {
    const { placeholder = "" } = OPTION_ROWS.find((row) => row.key === key) ?? {};
    const isPath = ["FILE", "FOLDER"].includes(placeholder) && text !== "";
    return [key, isPath ? normalPath(text.startsWith("/") ? text : `${folder}/${text}`) : text];
  }));
}

/** A full path without what the record refuses, such as a slash at its end; empty for none. */
export function normalPath(path: string): string {
  return path && posix.normalize(path).replace(/(?<=.)\/$/, "");
}
