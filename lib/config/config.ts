import type { MemoryMode } from "../types.ts";
import { UsageError } from "../errors.ts";
import { type Command, parseArguments } from "./args.ts";
import { didYouMean } from "./nearest.ts";
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
  /** Reads the configuration or token file. @throws When it can't. */
  readonly readText: (path: string) => string;
}

/** Where a value was found; the order is the order of precedence. */
interface Found {
  readonly text: string;
  readonly origin: string;
  readonly rank: 0 | 1 | 2;
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
  const file = readConfigFile(flags.get(OPTIONS.config) ?? sources.env.AGENT_CONFIG_FILE, sources);

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
    notices: [
      ...offlineNotice(intervalSeconds),
      ...noEffectNotices(find),
      ...misspeltVariables(sources.env),
    ],
  };
}

function parseFound<T>(option: Option<T>, found: Found): T {
  try {
    return option.parse(found.text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const value = option.secret ? "its value" : JSON.stringify(found.text);
    throw new UsageError(
      `Cannot use ${value} for ${found.origin}: allowed is ${error.message}`,
      { cause: error },
    );
  }
}

function readConfigFile(path: string | undefined, sources: ConfigSources): Map<string, string> {
  const values = new Map<string, string>();
  if (!path) return values;
  const keys = Object.values(OPTIONS).flatMap((option) => "key" in option ? [option.key] : []);
  for (const [key, value] of Object.entries(parseJsonObject(readOrRefuse(path, sources), path))) {
    if (!keys.some((known) => known === key)) {
      throw new UsageError(
        `Cannot use key "${key}" of the file ${path}: there is none of that name${
          didYouMean(key, keys.filter((known) => known !== undefined))
        }`,
      );
    }
    if (value === null) continue;
    const words = Array.isArray(value) ? value : [value];
    if (words.some((word) => !["string", "number", "boolean"].includes(typeof word))) {
      throw new UsageError(`Cannot use key "${key}" of the file ${path}: allowed is a plain value`);
    }
    values.set(key, words.join(key === OPTIONS.includeMountPoints.key ? ";" : ","));
  }
  return values;
}

function parseJsonObject(text: string, path: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text, and the text may hold the token.
    throw new UsageError(`Cannot use the file ${path}: it is no valid JSON`, {
      cause: error instanceof SyntaxError ? undefined : error,
    });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new UsageError(`Cannot use the file ${path}: allowed is one JSON object`);
  }
  return { ...parsed };
}

function readOrRefuse(path: string, sources: ConfigSources): string {
  try {
    return sources.readText(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot read the file ${path}: ${reason}`, { cause: error });
  }
}

/** The token itself or the file that holds it, whichever was asked for in the stronger place. */
function pickToken(
  find: (option: Option<unknown>) => Found | undefined,
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
  if (file !== undefined) return tokenOfFile(parseFound(OPTIONS.tokenFile, file), sources);
  const folder = sources.env.CREDENTIALS_DIRECTORY;
  if (!folder) return "";
  try {
    return tokenOfFile(`${folder}/token`, sources);
  } catch {
    return "";
  }
}

function tokenOfFile(path: string, sources: ConfigSources): string {
  return parseFound(OPTIONS.token, {
    text: readOrRefuse(path, sources).trim(),
    origin: `the token file ${path}`,
    rank: 0,
  });
}

/** The mode by its own name; else by the official switches, in whichever place is stronger. */
function pickMemoryMode(
  find: (option: Option<unknown>) => Found | undefined,
  pick: <T>(option: Option<T>) => T,
): MemoryMode {
  if (find(OPTIONS.memoryMode) !== undefined) return pick(OPTIONS.memoryMode);
  return pick(OPTIONS.memoryIncludeCache) && !pick(OPTIONS.memoryExcludeBcf)
    ? "all"
    : OPTIONS.memoryMode.initial;
}

function offlineNotice(intervalSeconds: number): string[] {
  if (intervalSeconds <= 30) return [];
  return [
    `--interval ${intervalSeconds} is long: a panel shows a node as offline 35 s after its last report`,
  ];
}

/** Says of each option without effect that it was set to something that would matter. */
function noEffectNotices(find: (option: Option<unknown>) => Found | undefined): string[] {
  return Object.values(OPTIONS).flatMap((option: Option<unknown>) => {
    const found = option.noEffect === undefined ? undefined : find(option);
    if (found === undefined || parseFound(option, found) === option.initial) return [];
    return [`${found.origin} has no effect: ${option.noEffect}`];
  });
}

/** Variables that look like one of ours with a slip; others of the name `AGENT_…` are nobody's business. */
function misspeltVariables(env: Readonly<Record<string, string>>): string[] {
  const known = Object.values(OPTIONS).flatMap((option) =>
    "variable" in option && option.variable !== undefined ? [option.variable] : []
  );
  return Object.keys(env).flatMap((name) => {
    if (!name.startsWith("AGENT_") || known.some((variable) => variable === name)) return [];
    const hint = didYouMean(name, known);
    return hint === "" ? [] : [`variable ${name} is not known${hint}`];
  });
}
