import { attempt } from "../attempt.ts";
import { parseArguments } from "../config/command_line.ts";
import { readConfigFile } from "../config/config_file.ts";
import { OPTION_ROWS, OPTIONS } from "../config/option_table.ts";
import { describeError } from "../log/log.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { dirname } from "../parse/path.ts";
import type { OfficialAgent } from "./official_agent.ts";

/** The options of the official agent that are imported, by flag or variable. */
const NAMES = [
  "endpoint,token,auto-discovery,protocol-version,reconnect-interval,prefer-ip-version",
  "custom-dns,disable-compression,cf-access-client-id,cf-access-client-secret",
  "ignore-unsafe-cert,interval,info-report-interval,include-nics,exclude-nics",
  "include-mountpoint,memory-include-cache,memory-exclude-bcf,gpu,HOST_PROC,month-rotate",
  "custom-ipv4,custom-ipv6,get-ip-addr-from-nic,disable-auto-update",
].flatMap((names) => names.split(","));

const KEYS = new Set(
  OPTION_ROWS.filter(({ flag, variable = "" }) => NAMES.includes(flag ?? variable))
    .map(({ key }) => key),
);

/** Settings of an official agent, as options of this one. */
export interface ImportedSettings {
  /** Option texts by configuration key, with the token if it is known. */
  readonly given: ReadonlyMap<string, string>;
  /** The path of its monthly traffic file, which may not exist. */
  readonly trafficPath: string;
  /** Whether its panel may run commands and open terminals. */
  readonly remoteControl: boolean;
  /** Why none of its options could be read; empty where they were. */
  readonly unread: string;
}

/**
 * Reads an official agent's options by its own precedence: file over flags. Nothing is read of a service
 * that its installer did not write so, or that has an option which is unknown here.
 *
 * @param readText Reads a file; throws when it can't.
 */
export function importSettings(
  official: OfficialAgent,
  readText: (path: string) => string,
): ImportedSettings {
  let unread = official.handWritten && `it was edited by hand (${official.handWritten})`;
  let texts = new Map<string, string>();
  try {
    if (unread === "") texts = readOptions(official, readText);
  } catch (error) {
    unread = describeError(error);
  }
  const given = new Map([...texts].filter(([key]) => KEYS.has(key)));
  // The node may have registered with a key that is no longer valid.
  const registered = given.has("auto_discovery_key") ? registeredToken(official, readText) : "";
  if (registered !== "") given.set("token", registered);
  if (given.has("token")) given.delete("auto_discovery_key");
  return {
    given,
    trafficPath: resolvePath(official, "net_static.json"),
    remoteControl: unread === "" && !["true", "1"].includes(texts.get("disable_web_ssh") ?? ""),
    unread,
  };
}

/** The texts of all options, by their keys. @throws {UsageError} When one is unknown, or the file unusable. */
function readOptions(
  official: OfficialAgent,
  readText: (path: string) => string,
): Map<string, string> {
  const { flags } = parseArguments(official.args);
  const path = resolvePath(official, flags.get(OPTIONS.configFile) ?? "");
  const file = readConfigFile(path, { option: "--config", readText });
  return new Map([
    ...Array.from(flags, ([{ key = "" }, text]) => [key, text] as const),
    ...[...file].filter(([, text]) => text !== ""),
  ]);
}

/** Services without `WorkingDirectory=` start in `/`. */
function resolvePath({ workingDirectory }: OfficialAgent, path: string): string {
  if (path === "" || path.startsWith("/")) return path;
  return `${workingDirectory.replace(/\/+$/, "")}/${path}`;
}

/** The token of a self-registered official agent, stored beside its binary. */
function registeredToken(official: OfficialAgent, readText: (path: string) => string): string {
  const text = attempt(() => readText(`${dirname(official.binary)}/auto-discovery.json`)) ?? "";
  const { token } = jsonFields(parseJson(text));
  return typeof token === "string" ? attempt(() => OPTIONS.token.parse(token)) ?? "" : "";
}
