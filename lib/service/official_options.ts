import { attempt } from "../attempt.ts";
import type { Option } from "../config/option.ts";
import { OPTION_ROWS, OPTIONS } from "../config/option_table.ts";
import { isJsonObject, jsonFields, parseJson } from "../parse/json.ts";
import { dirname } from "../parse/path.ts";
import type { OfficialAgent } from "./official_agent.ts";

/** The options of the official agent that have an effect here, by flag or variable. */
const OFFICIAL = [
  "endpoint,token,auto-discovery,protocol-version,reconnect-interval,prefer-ip-version",
  "custom-dns,disable-compression,cf-access-client-id,cf-access-client-secret",
  "ignore-unsafe-cert,interval,info-report-interval,include-nics,exclude-nics",
  "include-mountpoint,memory-include-cache,memory-exclude-bcf,gpu,HOST_PROC,month-rotate",
  "custom-ipv4,custom-ipv6,get-ip-addr-from-nic,disable-web-ssh,config",
  "disable-auto-update",
].flatMap((names) => names.split(","));

/** The options of the official agent. */
const OFFICIAL_ROWS = OPTION_ROWS.filter(({ group, flag, variable = "" }) =>
  group === "official" || OFFICIAL.includes(flag ?? variable)
);

/**
 * Parses a command line as the official agent does: a switch takes its value after `=` only, other
 * flags after `=` or as the next word, even one that begins with `-`. Texts are by configuration key;
 * unknown flags are without their values.
 */
export function readOfficialFlags(
  args: readonly string[],
): { values: ReadonlyMap<string, string>; unknown: readonly string[] } {
  const values = new Map<string, string>();
  const unknown: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") break;
    if (!/^-./.test(arg)) continue;
    const { name, row, attached } = parseFlag(arg);
    if (row === undefined) {
      unknown.push(name);
      const isNextItsValue = attached === undefined && args[at + 1]?.startsWith("-") === false;
      if (isNextItsValue) at++;
      continue;
    }
    const isSwitch = row.placeholder === undefined;
    const text = attached ?? (isSwitch ? "true" : args[++at] ?? "");
    if (row.key !== undefined) values.set(row.key, text);
  }
  return { values, unknown };
}

/** The name of a flag, its row if it is known, and a value that is attached to it. */
function parseFlag(
  arg: string,
): { name: string; row: Option<unknown> | undefined; attached: string | undefined } {
  const [, name = "", attached] = /^(--[^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
  if (name !== "") {
    return { name, row: OFFICIAL_ROWS.find(({ flag }) => `--${flag}` === name), attached };
  }
  const letter = arg.slice(0, 2);
  const row = OFFICIAL_ROWS.find(({ short }) => `-${short}` === letter);
  const rest = arg.slice(2).replace(/^=/, "");
  return { name: letter, row, attached: arg.length === 2 ? undefined : rest };
}

/** Settings of an official agent, as options of this one. */
export interface ImportedSettings {
  /** Option texts by configuration key, with the token if it is known. */
  readonly given: ReadonlyMap<string, string>;
  /** The path of its monthly traffic file, which may not exist. */
  readonly trafficPath: string;
  /** Whether its panel may run commands and open terminals. */
  readonly remoteControl: boolean;
  /** Reasons for ignored settings, a line each; without values, which may be secret. */
  readonly notes: readonly string[];
}

/** Keys that are not imported: paths, and remote control, which is off by default here. */
const NOT_IMPORTED = ["config_file", "disable_web_ssh"];

/**
 * Reads an official agent's settings by its own precedence: file over flags; unknown options are
 * ignored. Nothing is read of a service that its installer did not write so.
 *
 * @param readText Reads a file; throws when it can't.
 */
export function importSettings(
  official: OfficialAgent,
  readText: (path: string) => string,
): ImportedSettings {
  const notes: string[] = [];
  const isInstallers = official.handWritten === "";
  const { values: flags, unknown } = readOfficialFlags(isInstallers ? official.args : []);
  for (const name of unknown) {
    notes.push(`${name} is ignored: the official agent has no such option`);
  }
  const configPath = flags.get("config_file") ?? "";
  const file = readFile(resolvePath(official, configPath), { readText, notes });
  const asked = new Map([...flags, ...file]);
  const valid = keepValid(asked, notes);
  // The node may have registered with a key that is no longer valid.
  const registered = asked.has("auto_discovery_key") ? registeredToken(official, readText) : "";
  const given = new Map([...valid].filter(([key]) => !NOT_IMPORTED.includes(key)));
  if (registered !== "") given.set("token", registered);
  if (given.has("token")) given.delete("auto_discovery_key");
  return {
    given,
    trafficPath: resolvePath(official, "net_static.json"),
    remoteControl: isInstallers && !["true", "1"].includes(valid.get("disable_web_ssh") ?? ""),
    notes,
  };
}

/** Services without `WorkingDirectory=` start in `/`. */
function resolvePath({ workingDirectory }: OfficialAgent, path: string): string {
  if (path === "" || path.startsWith("/")) return path;
  return `${workingDirectory.replace(/\/+$/, "")}/${path}`;
}

function readFile(
  path: string,
  { readText, notes }: { readText: (path: string) => string; notes: string[] },
): Map<string, string> {
  if (path === "") return new Map();
  const values = new Map<string, string>();
  const text = attempt(() => readText(path));
  const parsed = parseJson(text ?? "");
  if (!isJsonObject(parsed)) {
    const why = text === undefined ? "it can't be read" : "it is not valid JSON";
    notes.push(`${path} is ignored: ${why}`);
    return values;
  }
  for (const [key, value] of Object.entries(parsed)) {
    if (!OFFICIAL_ROWS.some((row) => row.key === key)) {
      notes.push(`key ${key} of ${path} is ignored: the official agent has no such option`);
    } else if (typeof value !== "object" && value !== "") values.set(key, String(value));
  }
  return values;
}

/** Drops options without effect, and, with a note, invalid values. */
function keepValid(values: ReadonlyMap<string, string>, notes: string[]): Map<string, string> {
  const kept = new Map<string, string>();
  for (const option of OFFICIAL_ROWS) {
    const { key = "", noEffect } = option;
    const value = values.get(key);
    if (value === undefined || noEffect !== undefined) continue;
    try {
      option.parse(value);
      kept.set(key, value);
    } catch (error) {
      const allowed = error instanceof Error ? error.message : String(error);
      notes.push(`${key} is ignored: invalid value, expected ${allowed}`);
    }
  }
  return kept;
}

/** The token of a self-registered official agent, stored beside its binary. */
function registeredToken(official: OfficialAgent, readText: (path: string) => string): string {
  const text = attempt(() => readText(`${dirname(official.binary)}/auto-discovery.json`)) ?? "";
  const { token } = jsonFields(parseJson(text));
  return typeof token === "string" ? attempt(() => OPTIONS.token.parse(token)) ?? "" : "";
}
