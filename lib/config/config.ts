import { attempt } from "../attempt.ts";
import type { ProxyUrls } from "../parse/proxy.ts";
import type { MemoryMode } from "../types.ts";
import { parseArguments } from "./command_line.ts";
import type { Command } from "./commands.ts";
import {
  parseConfigObject,
  readConfigFile,
  readOptionFile,
  type ReadText,
  splitRootOptions,
} from "./config_file.ts";
import { findToken, secretsOf } from "./credentials.ts";
import {
  proxiesFromEnvironment,
  type RuntimePaths,
  runtimePaths,
  type StatePaths,
  statePaths,
} from "./environment.ts";
import { type Language, languageOf } from "./language.ts";
import { configNotices } from "./notices.ts";
import { commandsOf, type Option, type OptionTexts } from "./option.ts";
import {
  OPTION_ROWS,
  OPTIONS,
  type OptionValues,
  type ResolvedOptions,
  resolveOptions,
} from "./option_table.ts";
import { severalPanels } from "./panels.ts";
import { INTERVAL_SECONDS, type PanelSettings, parseCertificates, withHeaders } from "./parsers.ts";
import { UsageError } from "./usage_error.ts";

/** Sources of the configuration. */
export interface ConfigSources {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Reads a file that an option names. */
  readonly readText: ReadText;
  /** Permission bits of such a file; `undefined` if unknown. */
  readonly readMode: (path: string) => number | undefined;
  /** Possible configuration files of an installed service of this name, likeliest first. */
  readonly installedConfigs?: (serviceName: string) => readonly string[];
  /** Options that `install` was given for a service of this name, from its record. */
  readonly recordedOptions?: (serviceName: string) => OptionTexts;
  /** Whether this user owns a file, so that nobody else has written it. */
  readonly isOwn?: (path: string) => boolean;
  /** Options of an official agent that is being replaced; every other source wins over them. */
  readonly importedOptions?: OptionTexts;
}

/**
 * The configuration, complete and checked: the value of every option, and the values that follow from
 * several of them.
 */
export interface Config extends OptionValues, PanelSettings, StatePaths, RuntimePaths {
  readonly command: Command;
  /** Subject of the help: a command, a group of commands such as `traffic`, or empty for all. */
  readonly helpTopic: string;
  /** Language of output for people. */
  readonly language: Language;
  /** Language of a running agent's log: English unless an option asks for another. */
  readonly logLanguage: Language;
  /** The token itself, from whichever source; empty if there is none. */
  readonly token: string;
  /** `undefined` if not set: it depends on the transport then. */
  readonly intervalSeconds: number | undefined;
  readonly memoryMode: MemoryMode;
  /** Whether the panel may run commands and open terminals. */
  readonly remoteControl: boolean;
  /** Whether remote control includes files. */
  readonly remoteFiles: boolean;
  /** Panels beside the one of `endpoint`; each has its own link, probes and remote control. */
  readonly furtherPanels: readonly PanelSettings[];
  /** PEM texts of certificates to trust in addition to the well-known ones, one certificate each. */
  readonly caCerts: readonly string[];
  readonly proxies: ProxyUrls;
  /** The configuration file; `undefined` if there is none. */
  readonly configPath: string | undefined;
  /** Whether it was found where the service is installed, and not named by an option. */
  readonly isConfigInstalled: boolean;
  /** Every option that was set, by its key, without the token. */
  readonly explicitOptions: OptionTexts;
  /** The source of every option that was set, in words, by its key. */
  readonly origins: OptionTexts;
  /** Keys of options that are returned to their default, whatever an installation has recorded. */
  readonly defaultedKeys: ReadonlySet<string>;
  /** Options of the installed configuration that are ignored, since another user owns the file. */
  readonly ignoredOptions: OptionTexts;
  /** Advice about the configuration, one line each. */
  readonly notices: readonly string[];
  /** Every text that must never be logged. */
  readonly secrets: readonly string[];
}

/** The part of the configuration that a connection to the panel needs. */
export type ConnectionConfig = Pick<
  Config,
  | "transport"
  | "protocolVersion"
  | "tokenIn"
  | "reconnectIntervalSeconds"
  | "compression"
  | "headers"
  | "caCerts"
  | "anyCertificate"
  | "preferFamily"
  | "nameServer"
  | "proxies"
>;

/** Commands about the installed agent rather than one that is started now. */
const INSTALLED_COMMANDS: readonly Command[] = [
  "install",
  "traffic show",
  "traffic set",
  "health",
  "status",
  "doctor",
  "config show",
];

/** Commands for which root must not trust paths and addresses of another user's file. */
const SPLITTING_COMMANDS: readonly Command[] = ["report", "install", "doctor", "config show"];

/** Options that say where other options are, which a service has in other places. */
const LOCATIONS: readonly Option<unknown>[] = [
  OPTIONS.configFile,
  OPTIONS.token,
  OPTIONS.tokenFile,
];

const NONE: OptionTexts = new Map();

/** Commands that reach servers through the proxies of the environment; the demo's panel is local. */
const PROXY_COMMANDS: readonly Command[] = ["report", "update", "install", "doctor"];

/** Keys of the options about the servers of releases, and their flags. */
const RELEASE_FLAGS = {
  update_url: "--update-url",
  update_key: "--update-key",
  mirror: "--mirror",
  ca_cert: "--ca-cert",
};

/**
 * Puts flags over environment over file over defaults, and checks every value.
 *
 * A pure function of its sources.
 *
 * @throws {UsageError} One line that names the option, its source, and what is allowed.
 */
export function resolveConfig(sources: ConfigSources): Config {
  const { env } = sources;
  const { command: named, topic, flags } = parseArguments(sources.args);
  const { file, path, isInstalled, isOthers } = readFileOptions(named, flags, sources);
  const { counted, ignored } = isOthers ? splitRootOptions(file) : { counted: file, ignored: NONE };
  const serviceName = flags.get(OPTIONS.serviceName) || OPTIONS.serviceName.initial;
  const unset = unsetOptions(flags);
  const recorded = () => sources.recordedOptions?.(serviceName);
  const options = resolveOptions({
    flags,
    env: withoutKeys(env, unset.map(({ variable }) => variable)),
    file: withoutOptions(counted, unset),
    filePath: path,
    recorded: named === "update"
      ? releaseOptions(recorded())
      // `install` merges them itself.
      : isOthers && named !== "install"
      ? recorded()
      : undefined,
    imported: sources.importedOptions && withoutOptions(sources.importedOptions, unset),
  });
  const { values, found, defaulted } = options;
  const command = values.help ? "help" : values.version ? "version" : named;
  if (command !== "help") refuseOtherCommands(options, command);
  requireCompatible(values);
  const foundToken = findToken(options, sources);
  const { token } = foundToken;
  const remoteControl = values.enableRemoteControl && !values.disableWebSsh;
  const panel: PanelSettings = {
    endpoint: values.endpoint,
    token,
    intervalSeconds: values.intervalSeconds ??
      (command === "demo" ? INTERVAL_SECONDS.demo : undefined),
    remoteControl,
    remoteFiles: remoteControl && !values.disableRemoteFiles,
  };
  const [first = panel, ...furtherPanels] = severalPanels(options, panel);
  const headers = withHeaders(values.headers, [
    ["CF-Access-Client-Id", values.cfAccessClientId],
    ["CF-Access-Client-Secret", values.cfAccessClientSecret],
  ]);
  const proxies = PROXY_COMMANDS.includes(command) ? proxiesFromEnvironment(env) : {};
  const setOptions = [...found].flatMap(([option, it]) =>
    option.key === undefined ? [] : [{ ...it, option, key: option.key }]
  );
  return {
    ...values,
    ...statePaths(values.stateDir, env),
    ...runtimePaths(env),
    command,
    helpTopic: topic,
    language: values.lang ?? languageOf(env),
    logLanguage: values.lang ?? "en",
    ...first,
    furtherPanels,
    memoryMode: memoryMode(options),
    // A request has one such header: what a proxy says of it tells nothing of the token.
    tokenIn: values.tokenIn === "auto" && hasAuthorization(values) ? "query" : values.tokenIn,
    // The stand-in panel probes itself.
    allowLocalProbes: values.allowLocalProbes || command === "demo",
    headers,
    caCerts: readCertificates(options, sources.readText),
    proxies,
    configPath: path,
    isConfigInstalled: isInstalled,
    explicitOptions: new Map(
      setOptions.filter(({ option }) => !LOCATIONS.includes(option))
        .map(({ key, text }) => [key, text]),
    ),
    origins: new Map(setOptions.map(({ key, origin }) => [key, origin])),
    defaultedKeys: new Set([...unset, ...defaulted].flatMap(({ key }) => key ?? [])),
    ignoredOptions: ignored,
    notices: configNotices(options, {
      env,
      readMode: sources.readMode,
      token: foundToken,
      secretConfig: hasSecret(file) ? path : undefined,
      ignoredKeys: named === "install"
        ? []
        : [...ignored].filter(([key, text]) => recorded()?.get(key) !== text).map(([key]) => key),
    }),
    secrets: secretsOf({
      tokens: [
        token,
        first.token,
        ...furtherPanels.map((panel) => panel.token),
        values.autoDiscoveryKey,
      ],
      headers,
      proxies,
    }),
  };
}

/**
 * Reads the file that a flag or variable names, or the installed service's.
 *
 * @throws {UsageError} When it can't be used, or when an agent would trust another user's file.
 */
function readFileOptions(
  command: Command,
  flags: ReadonlyMap<Option<unknown>, string>,
  sources: ConfigSources,
) {
  const { env, readText, isOwn } = sources;
  const ofFlag = flags.get(OPTIONS.configFile);
  const ofVariable = env.AGENT_CONFIG_FILE;
  const namesPanel = (command === "report" || command === "doctor") &&
    (flags.has(OPTIONS.endpoint) || Boolean(env.AGENT_ENDPOINT));
  const isAboutInstalled = !namesPanel &&
    (command === "report" || INSTALLED_COMMANDS.includes(command));
  const installed = ofFlag === undefined && !ofVariable && isAboutInstalled
    ? installedConfig(flags.get(OPTIONS.serviceName), sources)
    : undefined;
  const path = ofFlag ?? installed ?? ofVariable;
  const option = ofFlag !== undefined
    ? "--config"
    : installed !== undefined
    ? "the installed configuration"
    : "AGENT_CONFIG_FILE";
  const isOthers = installed !== undefined && isOwn?.(installed) === false;
  if (isOthers && command === "report" && !flags.has(OPTIONS.dryRun)) {
    throw new UsageError(
      `Cannot report with the installed configuration ${installed}: another user owns it; ` +
        "run this as that user, or name a file with --config",
    );
  }
  return {
    file: readConfigFile(path, { option, readText }),
    path,
    isInstalled: installed !== undefined,
    // Another user could have written anything into it.
    isOthers: isOthers && SPLITTING_COMMANDS.includes(command),
  };
}

/**
 * The options that `--unset` names; none where it has a mistake, which is found with all others.
 *
 * @throws {UsageError} When a flag sets one of them.
 */
function unsetOptions(flags: ReadonlyMap<Option<unknown>, string>): readonly Option<unknown>[] {
  const names = attempt(() => OPTIONS.unset.parse(flags.get(OPTIONS.unset) ?? "")) ?? [];
  const options = OPTION_ROWS.filter(({ key = "" }) => names.includes(key));
  const both = options.find((option) => flags.has(option));
  if (both === undefined) return options;
  throw new UsageError(`Cannot use --unset ${both.key} together with --${both.flag}`);
}

function withoutOptions(texts: OptionTexts, options: readonly Option<unknown>[]): OptionTexts {
  return new Map([...texts].filter(([name]) => !options.some(({ key }) => key === name)));
}

function withoutKeys(
  env: Readonly<Record<string, string>>,
  names: readonly (string | undefined)[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));
}

/** The installed service's configuration, if this user can read it. */
function installedConfig(
  serviceName: string | undefined,
  { installedConfigs, readText }: ConfigSources,
): string | undefined {
  return installedConfigs?.(serviceName || OPTIONS.serviceName.initial).find((path) =>
    attempt(() => readText(path)) !== undefined
  );
}

/** @throws {UsageError} If options are set that have no meaning together. */
function requireCompatible(values: OptionValues): void {
  const { updateKey, updateUrl, manager, print, replace, keepState, restore } = values;
  if (updateKey !== "" && updateUrl === "") {
    throw new UsageError("Cannot use --update-key without --update-url: give both");
  }
  if (manager !== undefined && (!print || replace)) {
    throw new UsageError("Cannot use --manager but with --print, and without --replace");
  }
  if (values.addPanel && values.replacePanel) {
    throw new UsageError("Cannot use --add and --replace-panel together");
  }
  if (values.tokenIn === "header" && hasAuthorization(values)) {
    throw new UsageError(
      "Cannot use --token-in header with an Authorization of --header: a request has one such " +
        "header, and the token would be in it",
    );
  }
  if (keepState && restore) throw new UsageError("Cannot use --keep-state and --restore together");
}

function hasAuthorization({ headers }: OptionValues): boolean {
  return headers.some(([name]) => name.toLowerCase() === "authorization");
}

/**
 * Refuses options of the command line that the command does not take.
 *
 * @throws {UsageError} One line that names the option and the commands that take it.
 */
function refuseOtherCommands({ found }: ResolvedOptions, command: Command): void {
  for (const [option, { origin }] of found) {
    const commands = option.variable === undefined ? commandsOf(option) : undefined;
    if (commands === undefined || commands.includes(command)) continue;
    const names = commands.map((name) => `"${name}"`);
    const verb = names.length === 1 ? "takes" : "take";
    throw new UsageError(`Cannot use ${origin} here: only ${enumerate(names)} ${verb} it`);
  }
}

/** Texts as a list in a sentence: `a, b and c`. */
function enumerate(texts: readonly string[]): string {
  const last = texts.at(-1) ?? "";
  return texts.length < 2 ? last : `${texts.slice(0, -1).join(", ")} and ${last}`;
}

/** The mode by its own name, or by the official switches. */
function memoryMode({ found, values }: ResolvedOptions): MemoryMode {
  if (found.has(OPTIONS.memoryMode)) return values.memoryMode;
  return values.memoryIncludeCache && !values.memoryExcludeBcf ? "all" : values.memoryMode;
}

function readCertificates({ found }: ResolvedOptions, readText: ReadText): readonly string[] {
  const { name, text: path } = found.get(OPTIONS.caCertFile) ?? { name: "", text: "" };
  if (path === "") return [];
  return parseCertificates(readOptionFile(name, path, readText), `${name} ${path}`);
}

/** Whether a configuration file holds a text that must not be shown. */
function hasSecret(file: OptionTexts): boolean {
  return OPTION_ROWS.some(({ secret, key = "" }) => secret && Boolean(file.get(key)));
}

function releaseOptions(recorded: OptionTexts | undefined): OptionTexts {
  return new Map([...recorded ?? []].filter(([key]) => key in RELEASE_FLAGS));
}

/**
 * The options about the servers of releases, as flags for the command line of `update`: the file
 * with the token belongs to the agent, and root must not trust it.
 */
export function releaseFlags(options: OptionTexts): string[] {
  return Object.entries(RELEASE_FLAGS).flatMap(([key, flag]) => {
    const value = options.get(key);
    return value === undefined ? [] : [flag, value];
  });
}

/**
 * The wanted format of log lines and language, for an error that is found before the configuration
 * is complete.
 *
 * Looks in the same sources, but never throws: unreadable counts as not set.
 */
export function requestedOutput(
  { args, env, readText }: Pick<ConfigSources, "args" | "env" | "readText">,
): { logFormat: "text" | "json"; language: Language } {
  const path = flagValue(args, "--config") ?? env.AGENT_CONFIG_FILE;
  const file = path ? attempt(() => parseConfigObject(readText(path), "")) : undefined;
  const asked = (flag: string, variable: string, key: string) =>
    flagValue(args, flag) ?? (env[variable] || undefined) ?? file?.[key];
  const language = asked("--lang", "AGENT_LANG", "lang");
  return {
    logFormat: asked("--log-format", "AGENT_LOG_FORMAT", "log_format") === "json" ? "json" : "text",
    language: language === "en" || language === "zh" ? language : languageOf(env),
  };
}

function flagValue(args: readonly string[], flag: string): string | undefined {
  const attached = args.findLast((arg) => arg.startsWith(`${flag}=`));
  if (attached !== undefined) return attached.slice(flag.length + 1);
  const at = args.lastIndexOf(flag);
  return at === -1 ? undefined : args[at + 1];
}
