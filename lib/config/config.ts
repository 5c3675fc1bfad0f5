import type { MemoryMode } from "../types.ts";
import { UsageError } from "../errors.ts";
import { type Command, parseArguments } from "./args.ts";
import { readConfigFile, readOrRefuse, type ReadText } from "./config_file.ts";
import { type Find, type Found, parseFound } from "./found.ts";
import { configNotices } from "./notices.ts";
import type { Option } from "./option.ts";
import { OPTIONS } from "./options.ts";

/** What the program was asked to do, complete and checked. */
export interface Config {
  readonly command: Command;
  /** Without a slash at its end; empty when none was given. */
  readonly endpoint: string;
  /** Empty when none was given. */
  readonly token: string;
  readonly transport: "http";
  readonly intervalSeconds: number;
  readonly infoIntervalMinutes: number;
  readonly includeNics: readonly string[];
  readonly excludeNics: readonly string[];
  readonly includeMountPoints: readonly string[];
  readonly memoryMode: MemoryMode;
  /** Empty when the machine's own is meant. */
  readonly hostProc: string;
  readonly customIpv4: string;
  readonly customIpv6: string;
  readonly addressesFromNic: boolean;
  readonly ipServices: "default" | "off" | readonly string[];
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly logLevel: "debug" | "info" | "warning" | "error";
  readonly logFormat: "text" | "json";
  readonly help: boolean;
  readonly port: number;
  readonly fault: string;
  /** What the user should know about what was asked, a line each. */
  readonly notices: readonly string[];
}

/** Whoever watches a demo wants to see something move. */
const DEMO_INTERVAL_SECONDS = 1;

/** Where configuration comes from. */
export interface ConfigSources {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Reads the configuration or token file. */
  readonly readText: ReadText;
}

/**
 * Puts flags over environment over file over defaults, and checks every value.
 *
 * A pure function of its sources.
 *
 * @throws {UsageError} One line that names the option, where it came from, and what is allowed.
 */
export function resolveConfig(sources: ConfigSources): Config {
  const { command, flags } = parseArguments(sources.args);
  const file = readConfigFile(
    flags.get(OPTIONS.config) ?? sources.env.AGENT_CONFIG_FILE,
    sources.readText,
  );

  function find(option: Option<unknown>): Found | undefined {
    const flag = flags.get(option);
    if (flag !== undefined) return { text: flag, origin: `flag --${option.flag}`, rank: 0 };
    const variable = sources.env[option.variable ?? ""];
    if (variable) return { text: variable, origin: `variable ${option.variable}`, rank: 1 };
    const value = file.get(option.key ?? "");
    if (value) return { text: value, origin: `key ${option.key} of the file`, rank: 2 };
    return undefined;
  }
  function pick<T>(option: Option<T>): T {
    const found = find(option);
    return found === undefined ? option.initial : parseFound(option, found);
  }

  const shown = command === "demo" && find(OPTIONS.interval) === undefined;
  const intervalSeconds = shown ? DEMO_INTERVAL_SECONDS : pick(OPTIONS.interval);
  return {
    command: pick(OPTIONS.version) ? "version" : command,
    endpoint: pick(OPTIONS.endpoint),
    token: pickToken(find, sources),
    transport: pick(OPTIONS.transport),
    intervalSeconds,
    infoIntervalMinutes: pick(OPTIONS.infoReportInterval),
    includeNics: pick(OPTIONS.includeNics),
    excludeNics: pick(OPTIONS.excludeNics),
    includeMountPoints: pick(OPTIONS.includeMountPoints),
    memoryMode: pickMemoryMode(find, pick),
    hostProc: pick(OPTIONS.hostProc).replace(/(?<=.)\/+$/, ""),
    customIpv4: pick(OPTIONS.customIpv4),
    customIpv6: pick(OPTIONS.customIpv6),
    addressesFromNic: pick(OPTIONS.getIpAddrFromNic),
    ipServices: pick(OPTIONS.ipServices),
    dryRun: pick(OPTIONS.dryRun),
    json: pick(OPTIONS.json),
    logLevel: pick(OPTIONS.logLevel),
    logFormat: pick(OPTIONS.logFormat),
    help: pick(OPTIONS.help),
    port: pick(OPTIONS.port),
    fault: pick(OPTIONS.fault),
    notices: configNotices(find, { intervalSeconds, env: sources.env }),
  };
}

/** The token itself or the file that holds it, whichever was asked for in the stronger place. */
function pickToken(
  find: Find,
  sources: ConfigSources,
): string {
  const token = find(OPTIONS.token);
  const file = find(OPTIONS.tokenFile);
  if (token !== undefined && token.rank <= (file?.rank ?? token.rank)) {
    if (token.rank === file?.rank) {
      throw new UsageError(`Cannot use both ${token.origin} and ${file.origin}: give one of them`);
    }
    return parseFound(OPTIONS.token, token);
  }
  if (file !== undefined) {
    const path = parseFound(OPTIONS.tokenFile, file);
    return parseTokenFile(path, readOrRefuse(path, sources.readText));
  }
  return credential(sources);
}

/** The token that systemd hands over; it has no folder for services without credentials. */
function credential({ env, readText }: ConfigSources): string {
  const path = `${env.CREDENTIALS_DIRECTORY}/token`;
  let text: string;
  try {
    if (!env.CREDENTIALS_DIRECTORY) return "";
    text = readText(path);
  } catch {
    // The credentials may be another program's.
    return "";
  }
  return parseTokenFile(path, text);
}

function parseTokenFile(path: string, text: string): string {
  return parseFound(OPTIONS.token, {
    text: text.trim(),
    origin: `the token file ${path}`,
    rank: 0,
  });
}

/** The mode by its own name; else by the official switches, in whichever place is stronger. */
function pickMemoryMode(
  find: Find,
  pick: <T>(option: Option<T>) => T,
): MemoryMode {
  if (find(OPTIONS.memoryMode) !== undefined) return pick(OPTIONS.memoryMode);
  return pick(OPTIONS.memoryIncludeCache) && !pick(OPTIONS.memoryExcludeBcf)
    ? "all"
    : OPTIONS.memoryMode.initial;
}
