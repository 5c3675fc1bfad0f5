import type { MemoryMode } from "../types.ts";
import { type Command, parseArguments } from "./args.ts";
import { readConfigFile } from "./config_file.ts";
import { type ConnectionConfig, pickConnection } from "./connection.ts";
import { type Find, type Found, parseFound, type PickValue } from "./found.ts";
import { pickMemoryMode } from "./memory_mode.ts";
import { configNotices } from "./notices.ts";
import { type InstallConfig, pickInstall } from "./install.ts";
import { installedConfig } from "./installed_config.ts";
import type { Option } from "./option.ts";
import { OPTIONS } from "./options.ts";
import { passOverRootKeys } from "./root_keys.ts";
import { refuseOptionsOfOthers } from "./options_of_others.ts";
import { secretsOf } from "./secrets.ts";
import { type RuntimePlaces, runtimePlaces } from "./runtime_places.ts";
import { pickUpdate, type UpdateConfig } from "./update.ts";
import { type StatePlaces, statePlaces } from "./state_places.ts";
import { RELEASE_KEYS } from "./release_flags.ts";
import type { ConfigSources } from "./sources.ts";
import { findToken } from "./token.ts";

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
