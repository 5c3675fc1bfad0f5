/**
 * Advice of `doctor` on an option of the agent: where it was read, and how it is changed.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { OPTION_ROWS } from "../config/option_table.ts";
import { urlHost } from "../parse/probe_target.ts";
import { type UnitSetting, variableFile } from "../service/loaded_unit.ts";
import { environmentFileOf } from "../service/service_paths.ts";
import { restart } from "./doctor_unit_settings.ts";
import type { Way } from "./doctor_way.ts";

/**
 * An option, or a variable of proxies, as the installed service gets it; where there is none, it alone.
 * What a variable of the service's unit sets is changed there, since it wins over what is installed.
 */
export function given({ config, unit = [] }: OfService, option: string): string {
  if (!config.isConfigInstalled) return option;
  // The command writes that file itself, so it may change what is in it.
  const own = environmentFileOf(config.configPath ?? "");
  const [, proxy = "", value] = /^(\w+)=(.*)/.exec(option) ?? [];
  for (const name of [proxy.toLowerCase(), proxy]) {
    const file = variableFile(unit, name);
    if (file !== undefined && file !== own) {
      return `set ${name}=${value} in ${file}, and then: ${restart(config.serviceName)}`;
    }
  }
  const [, flag] = /^--(?:unset )?(\S+)/.exec(option) ?? [];
  // A token that a variable has wins over one that is named by its file.
  const meant = flag === "token-file" && config.origins.has("token") ? "token" : flag;
  const { key = "", variable = "" } = OPTION_ROWS.find((row) => row.flag === meant) ?? {};
  const file = variableFile(unit, variable);
  if (file !== undefined && config.origins.get(key) === `variable ${variable}`) {
    return `change ${variable} in ${file}, and then: ${restart(config.serviceName)}`;
  }
  const command = reinstall(config);
  return option.startsWith("-") ? `${command} ${option}` : `${option} ${command}`;
}

/** A configuration, and the settings of the unit of its service. */
interface OfService {
  readonly config: Config;
  readonly unit?: readonly UnitSetting[];
}

/** The command that starts the installed service anew with its files as they are, by any manager. */
export function reinstall({ serviceName }: Pick<Config, "serviceName">): string {
  const name = serviceName === "komari-agent-deno" ? "" : ` --install-service-name ${serviceName}`;
  return `komari-agent-deno install${name}`;
}

/** The option, variable or key that names the panel's address, with its file and how a change is used. */
export function endpointPlace({ config, unit }: Pick<Way, "config" | "unit">): string {
  const { origins, endpoint, furtherPanels, isConfigInstalled, serviceName } = config;
  const isFirst = furtherPanels.every((panel) => panel.endpoint !== endpoint);
  const origin = origins.get(isFirst ? "endpoint" : "panels") ?? "";
  if (origin === "" || origin.startsWith("flag ")) return "-e";
  const file = variableFile(unit, "AGENT_ENDPOINT");
  const isOfUnit = file !== undefined && origin.includes("AGENT_ENDPOINT");
  const place = isOfUnit ? `AGENT_ENDPOINT in ${file}` : origin;
  if (!isConfigInstalled) return place;
  return `${place} (and then: ${isOfUnit ? restart(serviceName) : reinstall(config)})`;
}

/** Whether an address has no TLS, and the present one has. */
export function losesTls(address: string, { url }: Pick<Way, "url">): boolean {
  return url.protocol === "https:" && address.startsWith("http:");
}

/** Has an address be configured; with a warning where that loses TLS. */
export function writeAddress(address: string, way: Pick<Way, "url" | "config" | "unit">): string {
  const place = endpointPlace(way);
  return losesTls(address, way)
    ? `write ${address} into ${place}: without TLS all on the way can read the token`
    : `write ${address} into ${place}`;
}

/** The same before other steps; behind them where that loses TLS, which is to be repaired first. */
export function writeOr(
  address: string,
  way: Pick<Way, "url" | "config" | "unit">,
  others: readonly string[],
): string[] {
  const write = writeAddress(address, way);
  return losesTls(address, way) ? [...others, `else ${write}`] : [write, ...others];
}

/** Advice on a variable of the unit that wins over another value of the configuration. */
export function overridden(
  { config, unit }: Pick<Way, "config" | "unit">,
  variable: "AGENT_ENDPOINT" | "AGENT_TOKEN",
): string | undefined {
  const { endpoint, token, configPath, isConfigInstalled, serviceName } = config;
  const file = variableFile(unit, variable);
  if (file === undefined || configPath === undefined || !isConfigInstalled) return undefined;
  const text = attempt(() => Deno.readTextFileSync(configPath)) ?? "";
  const other = variable === "AGENT_TOKEN"
    ? /"token"\s*:\s*"([^"]+)"/.exec(text)?.[1]
    : /"endpoint"\s*:\s*"(https?:[^"?#@]+)"/.exec(text)?.[1];
  if (other === undefined || [endpoint, token].includes(other)) return undefined;
  return variable === "AGENT_TOKEN"
    ? `remove AGENT_TOKEN from ${file}, which wins over the token of ${configPath}, if that is this ` +
      `node's, and then: ${restart(serviceName)}`
    : `remove AGENT_ENDPOINT from ${file}, which wins over ${other} of ${configPath}, if that is the ` +
      `panel, and then: ${restart(serviceName)}`;
}

/** The variable that lets connections to a panel leave the proxy out, beside those that already do. */
export function withoutProxy(way: Pick<Way, "config" | "url">): string {
  const all = [...way.config.proxies.none?.split(/[\s,]+/) ?? [], urlHost(way.url)];
  return given(way, `NO_PROXY=${all.filter((it) => it !== "").join(",")}`);
}

/** Has the agent ask another name server than the system's. */
export function otherNameServer(way: Pick<Way, "config">): string {
  return `ask another name server: ${given(way, "--custom-dns ADDRESS")}`;
}
