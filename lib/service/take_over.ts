import type { Option } from "../config/option.ts";
import { OPTIONS } from "../config/options.ts";
import type { OfficialAgent } from "./official_agent.ts";
import { OFFICIAL_KEYS, readOfficialFlags } from "./official_flags.ts";
import { folderOf } from "../parse/path_parts.ts";

/** What an official agent was told, in the words of this one. */
export interface TakenOver {
  /**
   * What it was told by the keys of the configuration file, as the text that a flag would have; the
   * token too, where it is known.
   */
  readonly given: ReadonlyMap<string, string>;
  /** The variables that lead it through a proxy. */
  readonly proxies: Readonly<Record<string, string>>;
  /** Where it notes the month's traffic, if it does. */
  readonly trafficPath: string;
  /** Whether its panel may run commands and open terminals. */
  readonly remoteControl: boolean;
  /** What was left out and why, a line each; without any value, since it may be a secret. */
  readonly notes: readonly string[];
}

/** Keys that are about places, or off here unless asked for. */
const LEFT_OUT = ["config_file", "disable_web_ssh"];
const PROXY_NAMES = /^(?:HTTP|HTTPS|ALL|NO)_PROXY$/i;

/**
 * Understands an official agent's settings as it does itself: its file over its environment over
 * its flags, and what it doesn't know is passed over.
 *
 * `readText` gives a file's text and throws when it can't.
 */
export function takeOver(
  official: OfficialAgent,
  readText: (path: string) => string,
): TakenOver {
  const notes: string[] = [];
  const { values: flags, unknown } = readOfficialFlags(official.args);
  for (const name of unknown) {
    notes.push(`${name} is left out: the official agent knows no such option`);
  }
  const variables = readVariables(official.env);
  const configPath = variables.get("config_file") ?? flags.get("config_file") ?? "";
  const file = readFile(pathFrom(official, configPath), { readText, notes });
  const asked = new Map([...flags, ...variables, ...file]);
  const told = usable(asked, notes);
  // It may have registered when the panel still took such a key.
  const registered = asked.has("auto_discovery_key") ? registeredToken(official, readText) : "";
  const given = new Map([...told].filter(([key]) => !LEFT_OUT.includes(key)));
  if (registered !== "") given.set("token", registered);
  if (given.has("token")) given.delete("auto_discovery_key");
  return {
    given,
    proxies: Object.fromEntries(
      Object.entries(official.env).filter(([name, value]) =>
        PROXY_NAMES.test(name) && value !== ""
      ),
    ),
    trafficPath: pathFrom(official, "net_static.json"),
    remoteControl: !["true", "1"].includes(told.get("disable_web_ssh") ?? ""),
    notes,
  };
}

/** What a service without a folder of its own is started in. */
function pathFrom({ workingDirectory }: OfficialAgent, path: string): string {
  if (path === "" || path.startsWith("/")) return path;
  const folder = workingDirectory === "" ? "/" : workingDirectory;
  return `${folder.replace(/\/+$/, "")}/${path}`;
}

function readVariables(env: Readonly<Record<string, string>>): Map<string, string> {
  const values = new Map<string, string>();
  for (const { variable, key } of officialRows()) {
    const value = env[variable ?? ""];
    if (key !== undefined && value) values.set(key, value);
  }
  return values;
}

function officialRows(): Option<unknown>[] {
  const rows: readonly Option<unknown>[] = Object.values(OPTIONS);
  return rows.filter(({ key = "" }) => OFFICIAL_KEYS.includes(key));
}

function readFile(
  path: string,
  { readText, notes }: { readText: (path: string) => string; notes: string[] },
): Map<string, string> {
  if (path === "") return new Map();
  const values = new Map<string, string>();
  for (const [key, value] of Object.entries(objectOf(textOf(path, readText), path, notes))) {
    if (!OFFICIAL_KEYS.includes(key)) {
      notes.push(`key ${key} of ${path} is left out: the official agent knows no such option`);
    } else if (typeof value !== "object" && value !== "") values.set(key, String(value));
  }
  return values;
}

function objectOf(
  text: string | undefined,
  path: string,
  notes: string[],
): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text ?? "");
    if (typeof parsed === "object" && parsed !== null) return { ...parsed };
  } catch {
    // Said below; the parser's own words would quote a text that may hold the token.
  }
  notes.push(`${path} is left out: ${text === undefined ? "it can't be read" : "it is no JSON"}`);
  return {};
}

function textOf(path: string, readText: (path: string) => string): string | undefined {
  try {
    return readText(path);
  } catch {
    return undefined;
  }
}

/** Leaves out what says nothing, and with a note what this program can't use. */
function usable(values: ReadonlyMap<string, string>, notes: string[]): Map<string, string> {
  const kept = new Map<string, string>();
  for (const option of officialRows()) {
    const { key = "", noEffect } = option;
    const value = values.get(key);
    if (value === undefined || noEffect !== undefined) continue;
    const text = option.placeholder === undefined ? switchText(value) : value;
    try {
      option.parse(text);
      kept.set(key, text);
    } catch (error) {
      const allowed = error instanceof Error ? error.message : String(error);
      notes.push(`${key} is left out: its value can't be used, allowed is ${allowed}`);
    }
  }
  return kept;
}

/** Switches have more spellings there. */
function switchText(value: string): string {
  if (/^(?:t|true)$/i.test(value)) return "true";
  return /^(?:f|false)$/i.test(value) ? "false" : value;
}

/** The token with which the official agent has registered itself, beside its binary. */
function registeredToken(official: OfficialAgent, readText: (path: string) => string): string {
  const folder = folderOf(official.binary);
  try {
    const { token }: Record<string, unknown> = {
      ...JSON.parse(readText(`${folder}/auto-discovery.json`)),
    };
    return typeof token === "string" ? OPTIONS.token.parse(token) : "";
  } catch {
    return "";
  }
}
