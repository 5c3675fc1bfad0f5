/**
 * Where an option of the agent was read, and the command that changes it.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { OPTION_ROWS } from "../config/option_table.ts";
import { urlHost } from "../parse/probe_target.ts";
import { serviceFlags } from "../service/service_files.ts";
import { type UnitSetting, variableFile } from "./loaded_unit.ts";
import { PROGRAM } from "../version.ts";

/** A configuration, and the settings and variables of the unit of its service. */
export interface OfService {
  readonly config: Config;
  readonly settings: readonly UnitSetting[];
}

/** A command of root's: who is root may have no `sudo`. */
export function asRoot(command: string): string {
  return Deno.uid() === 0 ? command : `sudo ${command}`;
}

/** The command by which a changed unit is used. */
export function restart(name: string): string {
  return `systemctl daemon-reload && systemctl restart ${name}`;
}

/** The command that starts the installed service anew with its files as they are, by any manager. */
export function reinstall({ serviceName }: Pick<Config, "serviceName">): string {
  return [PROGRAM, "install", ...serviceFlags(serviceName)].join(" ");
}

/** An option, or a variable, as the installed service gets it; where there is none, it alone. */
export function given(of: OfService, option: string): string {
  const { config, settings } = of;
  if (!config.isConfigInstalled) return option;
  const [, name = ""] = /^(\w+)=/.exec(option) ?? [];
  const [, flag] = /^--(?:unset )?(\S+)/.exec(option) ?? [];
  const variable = name || OPTION_ROWS.find((row) => row.flag === flag)?.variable || "";
  const file = variableFile(settings, variable) ?? variableFile(settings, variable.toLowerCase());
  // What the unit has of its own wins over what `install` writes.
  if (file !== undefined) {
    const step = name === "" ? `change ${variable}` : `set ${option}`;
    return `${step} in ${file}, and then: ${restart(config.serviceName)}`;
  }
  return name === "" ? `${reinstall(config)} ${option}` : `${option} ${reinstall(config)}`;
}

/** Where an option was read: a flag, a file, or a variable with the file of the unit that sets it. */
export function originOf({ config, settings }: OfService, ...keys: readonly string[]): string {
  const origin = keys.map((key) => config.origins.get(key)).find((it) => it !== undefined) ?? "";
  const [, variable] = /^variable (\w+)/.exec(origin) ?? [];
  const file = variable === undefined ? undefined : variableFile(settings, variable);
  return file === undefined ? origin : `${variable} in ${file}`;
}

/** Where the panel's address is written, and for the installed service the command that changes it. */
export function endpointPlace(of: OfService): string {
  const { config } = of;
  const isFirst = config.furtherPanels.every(({ endpoint }) => endpoint !== config.endpoint);
  const place = originOf(of, isFirst ? "endpoint" : "panels");
  if (place === "" || place.startsWith("flag ")) return "-e";
  if (!config.isConfigInstalled || place.includes(" in ")) return place;
  return isFirst ? `-e (${reinstall(config)} -e URL)` : `${place} (then: ${reinstall(config)})`;
}

/** Where the token is written, and for the installed service the command that changes it. */
export function tokenPlace(of: OfService): string {
  const place = originOf(of, "token", "token_file", "panels").replace(/^flag /, "");
  return of.config.isConfigInstalled && place.startsWith("key token of ")
    ? `FILE, and run \`${reinstall(of.config)} --token-file FILE\``
    : place || given(of, "--token-file FILE");
}

/** The variables that may name the proxy; where the service's unit sets one, that one and its file. */
export function proxyNames(
  { url, settings }: { url: URL } & Pick<OfService, "settings">,
): string {
  const names = [url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY", "ALL_PROXY"];
  const [set] = names.flatMap((name) => [name.toLowerCase(), name]).flatMap((name) => {
    const file = variableFile(settings, name);
    return file === undefined ? [] : [`${name} (${file})`];
  });
  return set ?? names.join("/");
}

/** Lets connections to a panel leave the proxy out, beside those that already do. */
export function withoutProxy(of: OfService & { readonly url: URL }): string {
  const all = [...of.config.proxies.none?.split(/[\s,]+/) ?? [], urlHost(of.url)];
  return given(of, `NO_PROXY=${all.filter((it) => it !== "").join(",")}`);
}
