import type { MemoryMode } from "../types.ts";
import { type Command, parseArguments } from "./command_line.ts";
import { passOverRootKeys, readConfigFile } from "./config_file.ts";
import { findToken, secretsOf } from "./credentials.ts";
import { configNotices } from "./notices.ts";
import type { Option } from "./option.ts";
import {
  type ConfigSources,
  type Find,
  type Found,
  givenOptions,
  parseFound,
  type PickValue,
  readOrRefuse,
} from "./option_lookup.ts";
import { OPTIONS } from "./option_table.ts";
import {
  type Header,
  type NameServer,
  parseCertificates,
  type Proxies,
  proxiesOf,
  withHeaders,
} from "./parsers.ts";
import {
  installedConfig,
  type RuntimePlaces,
  runtimePlaces,
  type StatePlaces,
  statePlaces,
} from "./paths.ts";
import { UsageError } from "./usage_error.ts";

/** What was asked for about the way to the panel. */
export interface ConnectionConfig {
  readonly transport: "auto" | "http";
  readonly protocolVersion: 1 | 2;
  readonly reconnectIntervalSeconds: number;
  readonly compression: boolean;
  /** For every request and upgrade; names are HTTP tokens, values printable ASCII. */
  readonly headers: readonly Header[];
  /** PEM texts of certificates to trust beside the well-known ones, one certificate each. */
  readonly caCerts: readonly string[];
  /** Any certificate is trusted. */
  readonly anyCertificate: boolean;
  readonly preferFamily: 4 | 6 | undefined;
  /** `undefined` when the system's are meant. */
  readonly nameServer: NameServer | undefined;
  readonly proxies: Proxies;
}

/**
 * Picks what is about the way to the panel. The stand-in panel is on this machine, where no proxy
 * leads.
 *
 * @throws {UsageError} When a value can't be used.
 */
export function pickConnection(
  { find, pick }: { find: Find; pick: PickValue },
  sources: ConfigSources & { readonly usesProxies: boolean },
): ConnectionConfig {
  const family = pick(OPTIONS.preferIpVersion);
  return {
    transport: pick(OPTIONS.transport),
    protocolVersion: pick(OPTIONS.protocolVersion) === "1" ? 1 : 2,
    reconnectIntervalSeconds: pick(OPTIONS.reconnectInterval),
    compression: !pick(OPTIONS.disableCompression),
    headers: withHeaders(pick(OPTIONS.header), [
      ["CF-Access-Client-Id", pick(OPTIONS.cfAccessClientId)],
      ["CF-Access-Client-Secret", pick(OPTIONS.cfAccessClientSecret)],
    ]),
    caCerts: caCerts(find, sources),
    anyCertificate: pick(OPTIONS.ignoreUnsafeCert),
    preferFamily: family === "" ? undefined : family === "4" ? 4 : 6,
    nameServer: pick(OPTIONS.customDns),
    proxies: sources.usesProxies ? proxiesOf(sources.env) : {},
  };
}

function caCerts(find: Find, { readText }: ConfigSources): readonly string[] {
  const found = find(OPTIONS.caCert);
  if (found === undefined || found.text === "") return [];
  const text = readOrRefuse(found.name, found.text, readText);
  return parseCertificates(text, `${found.name} ${found.text}`);
}

/** The mode by its own name; else by the official switches, in whichever place is stronger. */
export function pickMemoryMode(find: Find, pick: PickValue): MemoryMode {
  if (find(OPTIONS.memoryMode) !== undefined) return pick(OPTIONS.memoryMode);
  return pick(OPTIONS.memoryIncludeCache) && !pick(OPTIONS.memoryExcludeBcf)
    ? "all"
    : OPTIONS.memoryMode.initial;
}

/** What was asked of `install` and `uninstall`. */
export interface InstallConfig {
  /** Nothing is done, only told. */
  readonly print: boolean;
  /** `undefined` where nothing was said: what was installed before stays then. */
  readonly asRoot: boolean | undefined;
  readonly replace: boolean;
  readonly restore: boolean;
  /** Empty when the usual one is meant. */
  readonly folder: string;
  readonly serviceName: string;
  /** What the service is to be given, by the keys of the configuration file, without the token. */
  readonly given: ReadonlyMap<string, string>;
  /** What the installed configuration says and what does not count, for it is another user's. */
  readonly passedOver: ReadonlyMap<string, string>;
}

/** Picks what is about installing. @throws {UsageError} When a value can't be used. */
export function pickInstall(
  { find, pick }: { find: Find; pick: PickValue },
  { passedOver }: Pick<InstallConfig, "passedOver">,
): InstallConfig {
  return {
    print: pick(OPTIONS.print),
    asRoot: find(OPTIONS.asRoot) === undefined ? undefined : pick(OPTIONS.asRoot),
    replace: pick(OPTIONS.replace),
    restore: pick(OPTIONS.restore),
    folder: pick(OPTIONS.installDir),
    serviceName: pick(OPTIONS.installServiceName),
    given: givenOptions(find),
    passedOver,
  };
}

/** Options that are about some commands only, and what those are called. */
const ABOUT: readonly {
  readonly commands: readonly Command[];
  readonly options: readonly Option<unknown>[];
  readonly subject: string;
}[] = [
  {
    commands: ["demo"],
    options: [OPTIONS.fault, OPTIONS.port],
    subject: 'the stand-in panel of the command "demo"',
  },
  {
    commands: ["traffic set"],
    options: [OPTIONS.up, OPTIONS.down],
    subject: 'the command "traffic set"',
  },
  {
    commands: ["update"],
    options: [OPTIONS.check, OPTIONS.now],
    subject: 'the command "update"',
  },
  {
    commands: ["install"],
    options: [OPTIONS.asRoot, OPTIONS.replace, OPTIONS.installDir],
    subject: 'the command "install"',
  },
  {
    commands: ["uninstall"],
    options: [OPTIONS.restore],
    subject: 'the command "uninstall"',
  },
  {
    commands: ["install", "uninstall"],
    options: [OPTIONS.print],
    subject: 'the commands "install" and "uninstall"',
  },
  {
    commands: ["install", "uninstall", "update", "health", "traffic show", "traffic set"],
    options: [OPTIONS.installServiceName],
    subject: "an installed service",
  },
];

/**
 * Refuses options that are about another command, where they would do nothing.
 *
 * @throws {UsageError} One line that names the option and what it is about.
 */
export function refuseOptionsOfOthers(find: Find, command: Command): void {
  for (const { commands, options, subject } of ABOUT) {
    if (commands.includes(command)) continue;
    for (const option of options) {
      const found = find(option);
      if (found !== undefined) {
        throw new UsageError(`Cannot use ${found.origin} here: it is about ${subject}`);
      }
    }
  }
}

/** What was asked about newer versions. */
export interface UpdateConfig {
  readonly automatic: boolean;
  /** Empty when the project's own releases are meant. */
  readonly url: string;
  /** Without a slash at its end; empty when there is none. */
  readonly mirror: string;
  readonly check: boolean;
  readonly now: boolean;
}

/** Picks what is about newer versions. @throws {UsageError} When a value can't be used. */
export function pickUpdate(pick: PickValue): UpdateConfig {
  return {
    automatic: !pick(OPTIONS.disableAutoUpdate),
    url: pick(OPTIONS.updateUrl),
    mirror: pick(OPTIONS.mirror),
    check: pick(OPTIONS.check),
    now: pick(OPTIONS.now),
  };
}

/** Options about the servers of releases, by their keys. */
const FLAGS = { update_url: "--update-url", mirror: "--mirror", ca_cert: "--ca-cert" };

/** Keys of what `update` needs of what an agent was told. */
export const RELEASE_KEYS: readonly string[] = Object.keys(FLAGS);

/**
 * The same as flags. They go on its command line: the file with the token belongs to the agent, and
 * what root puts in a program's place must not.
 */
export function releaseFlags(given: ReadonlyMap<string, string>): string[] {
  return Object.entries(FLAGS).flatMap(([key, flag]) => {
    const value = given.get(key);
    return value === undefined ? [] : [flag, value];
  });
}

/** What the program was asked to do, complete and checked. */
export interface Config extends ConnectionConfig, StatePlaces, RuntimePlaces {
  readonly command: Command;
  /** Without a slash at its end; empty when none was given. */
  readonly endpoint: string;
  /** Empty when none was given. */
  readonly token: string;
  /** The key with which this node registers itself; empty when none was given. */
  readonly autoDiscoveryKey: string;
  /** Whether it registers anew when the panel has forgotten it. */
  readonly rediscover: boolean;
  /** `undefined` when nobody has set it: it depends on the transport then. */
  readonly intervalSeconds: number | undefined;
  readonly infoIntervalMinutes: number;
  readonly includeNics: readonly string[];
  readonly excludeNics: readonly string[];
  readonly includeMountPoints: readonly string[];
  readonly memoryMode: MemoryMode;
  /** Whether details of graphics cards are reported. */
  readonly gpu: boolean;
  /** The day on which the month's traffic starts anew; 0 when it is reported since the start. */
  readonly monthRotate: number;
  /** What the month's totals are set to by `traffic set`, in bytes. */
  readonly totals: { readonly up: number | undefined; readonly down: number | undefined };
  /** Empty when the machine's own is meant. */
  readonly hostProc: string;
  readonly customIpv4: string;
  readonly customIpv6: string;
  readonly addressesFromNic: boolean;
  readonly ipServices: "default" | "off" | readonly string[];
  /** Whether the panel may run commands and open terminals. */
  readonly remoteControl: boolean;
  /** Whether remote control includes files. */
  readonly remoteFiles: boolean;
  readonly execTimeoutMinutes: number;
  readonly terminalIdleMinutes: number;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly logLevel: "debug" | "info" | "warning" | "error";
  readonly logFormat: "text" | "json";
  readonly help: boolean;
  readonly install: InstallConfig;
  readonly update: UpdateConfig;
  readonly port: number;
  readonly fault: string;
  /** What the user should know about what was asked, a line each. */
  readonly notices: readonly string[];
  /** Every text that must never be logged. */
  readonly secrets: readonly string[];
}

/** Whoever watches a demo wants to see something move. */
const DEMO_INTERVAL_SECONDS = 1;

/**
 * Puts flags over environment over file over defaults, and checks every value.
 *
 * A pure function of its sources.
 *
 * @throws {UsageError} One line that names the option, where it came from, and what is allowed.
 */
export function resolveConfig(sources: ConfigSources): Config {
  const { command, flags } = parseArguments(sources.args);
  const inFlags = flags.get(OPTIONS.config);
  const serviceName = flags.get(OPTIONS.installServiceName) ?? OPTIONS.installServiceName.initial;
  const inVariable = sources.env.AGENT_CONFIG_FILE;
  const installed = inFlags === undefined && !inVariable
    ? installedConfig(command, { serviceName, ...sources })
    : undefined;
  const path = inFlags ?? installed ?? inVariable;
  const inFile = readConfigFile(path, {
    option: inFlags !== undefined
      ? "--config"
      : installed !== undefined
      ? "the installed configuration"
      : "AGENT_CONFIG_FILE",
    readText: sources.readText,
  });
  const isOthers = command === "install" && installed !== undefined &&
    sources.isOwn?.(installed) === false;
  const { file, passedOver } = isOthers
    ? passOverRootKeys(inFile)
    : { file: inFile, passedOver: new Map<string, string>() };

  const installedTold = command === "update" ? sources.installedTold?.(serviceName) : undefined;

  function find(option: Option<unknown>): Found | undefined {
    const { flag, variable = "", key = "" } = option;
    const ofFlag = flags.get(option);
    if (ofFlag !== undefined) {
      return { text: ofFlag, name: `--${flag}`, origin: `flag --${flag}`, rank: 0 };
    }
    const ofVariable = sources.env[variable];
    if (ofVariable) {
      return { text: ofVariable, name: variable, origin: `variable ${variable}`, rank: 1 };
    }
    const ofKey = file.get(key);
    if (ofKey) return { text: ofKey, name: key, origin: `key ${key} of ${path}`, rank: 2 };
    const told = RELEASE_KEYS.includes(key) ? installedTold?.get(key) : undefined;
    if (told) return { text: told, name: key, origin: `${key} of the installation`, rank: 3 };
    const taken = sources.takenOver?.get(key);
    if (taken) return { text: taken, name: key, origin: `${key} of the official agent`, rank: 3 };
    return undefined;
  }
  function pick<T>(option: Option<T>): T {
    const found = find(option);
    return found === undefined ? option.initial : parseFound(option, found);
  }

  const help = pick(OPTIONS.help);
  const asked = pick(OPTIONS.version) ? "version" : command;
  if (!help) refuseOptionsOfOthers(find, asked);
  const connection = pickConnection({ find, pick }, {
    ...sources,
    usesProxies: ["report", "update", "install"].includes(asked) && !help,
  });
  const { token, file: tokenFile } = findToken(find, sources);
  const remoteControl = pick(OPTIONS.enableRemoteControl) && !pick(OPTIONS.disableWebSsh);
  const intervalSeconds = pickInterval({ find, pick }, command);
  return {
    ...connection,
    ...statePlaces(pick(OPTIONS.stateDir), sources.env),
    ...runtimePlaces(sources.env),
    command: asked,
    endpoint: pick(OPTIONS.endpoint),
    token,
    autoDiscoveryKey: pick(OPTIONS.autoDiscovery),
    rediscover: pick(OPTIONS.rediscover),
    intervalSeconds,
    infoIntervalMinutes: pick(OPTIONS.infoReportInterval),
    includeNics: pick(OPTIONS.includeNics),
    excludeNics: pick(OPTIONS.excludeNics),
    includeMountPoints: pick(OPTIONS.includeMountPoints),
    memoryMode: pickMemoryMode(find, pick),
    gpu: pick(OPTIONS.gpu),
    monthRotate: pick(OPTIONS.monthRotate),
    totals: { up: pick(OPTIONS.up), down: pick(OPTIONS.down) },
    hostProc: pick(OPTIONS.hostProc).replace(/(?<=.)\/+$/, ""),
    customIpv4: pick(OPTIONS.customIpv4),
    customIpv6: pick(OPTIONS.customIpv6),
    addressesFromNic: pick(OPTIONS.getIpAddrFromNic),
    ipServices: pick(OPTIONS.ipServices),
    remoteControl,
    remoteFiles: remoteControl && !pick(OPTIONS.disableRemoteFiles),
    execTimeoutMinutes: pick(OPTIONS.execTimeout),
    terminalIdleMinutes: pick(OPTIONS.terminalIdle),
    dryRun: pick(OPTIONS.dryRun),
    json: pick(OPTIONS.json),
    logLevel: pick(OPTIONS.logLevel),
    logFormat: pick(OPTIONS.logFormat),
    help,
    install: pickInstall({ find, pick }, { passedOver }),
    update: pickUpdate(pick),
    port: pick(OPTIONS.port),
    fault: pick(OPTIONS.fault),
    notices: configNotices(find, {
      env: sources.env,
      intervalSeconds,
      anyCertificate: connection.anyCertificate,
      vetoed: pick(OPTIONS.enableRemoteControl) && !remoteControl,
      needsNoKey: token !== "" && pick(OPTIONS.autoDiscovery) !== "",
      openFile: tokenFile !== undefined && isOpenToOthers(sources.readMode(tokenFile.path))
        ? `${tokenFile.option} ${tokenFile.path}`
        : undefined,
    }),
    secrets: secretsOf({
      tokens: [token, pick(OPTIONS.autoDiscovery)],
      headers: connection.headers,
      proxies: connection.proxies,
    }),
  };
}

function pickInterval(
  { find, pick }: { find: Find; pick: PickValue },
  command: Command,
): number | undefined {
  if (find(OPTIONS.interval) !== undefined) return pick(OPTIONS.interval);
  return command === "demo" ? DEMO_INTERVAL_SECONDS : undefined;
}

/** Bits of others and of the group, which are not the owner's. */
function isOpenToOthers(mode: number | undefined): boolean {
  return ((mode ?? 0) & 0o044) !== 0;
}

/**
 * The wanted form of log lines, for an error that is found before the configuration stands.
 *
 * Looks in the same places, but never throws: what can't be read counts as not there.
 */
export function wantedLogFormat(
  { args, env, readText }: Pick<ConfigSources, "args" | "env" | "readText">,
): "text" | "json" {
  const format = flagValue(args, "--log-format") ?? (env.AGENT_LOG_FORMAT || undefined) ??
    ofFile(flagValue(args, "--config") ?? env.AGENT_CONFIG_FILE, readText);
  return format === "json" ? "json" : "text";
}

function flagValue(args: readonly string[], flag: string): string | undefined {
  const attached = args.findLast((arg) => arg.startsWith(`${flag}=`));
  if (attached !== undefined) return attached.slice(flag.length + 1);
  const at = args.lastIndexOf(flag);
  return at === -1 ? undefined : args[at + 1];
}

function ofFile(path: string | undefined, readText: (path: string) => string): unknown {
  if (!path) return undefined;
  try {
    const values: Record<string, unknown> = { ...JSON.parse(readText(path)) };
    return values.log_format;
  } catch {
    return undefined;
  }
}
