import { parseArgs } from "@std/cli/parse-args";
import { attempt } from "../attempt.ts";
import type { ProxyUrls } from "../parse/proxy.ts";
import type { MemoryMode } from "../types.ts";
import { parseArguments } from "./command_line.ts";
import { type Command, reads } from "./commands.ts";
import { parseConfigObject, readConfigFile, readOptionFile, type ReadText } from "./config_file.ts";
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
import { commandsOf, type Layer, type Option, type OptionTexts } from "./option.ts";
import {
  hasTag,
  OPTION_ROWS,
  OPTIONS,
  type OptionValues,
  type ResolvedOptions,
  resolveOptions,
} from "./option_table.ts";
import { severalPanels, withoutUnused } from "./panels.ts";
import { INTERVAL_SECONDS, type PanelSettings, parseCertificates, withHeaders } from "./parsers.ts";
import { UsageError } from "./usage_error.ts";

/** What the configuration is made of. */
export interface ConfigInput {
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
  /** The owner's id of a file that is neither this user's nor root's; else `undefined`. */
  readonly foreignOwner?: (path: string) => number | undefined;
  /** Options of an official agent that is being replaced; every other layer wins over them. */
  readonly importedOptions?: OptionTexts;
  /** Proxy variables of its service; those of `env` win over them. */
  readonly importedProxies?: Readonly<Record<string, string>>;
  /** Certificates of authorities that were added to this system, in PEM. */
  readonly systemAuthorities?: () => readonly string[];
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
  /** The token itself, from whichever layer; empty if there is none. */
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
  /** Whether something else than the installed configuration says who the panels are. */
  readonly givesPanels: boolean;
  /** Every option that was set, by its key, without the token. */
  readonly explicitOptions: OptionTexts;
  /** The layer of every option that was set, in words, by its key. */
  readonly origins: OptionTexts;
  /** A mistake in the installed configuration, whose options are left out; absent in most commands. */
  readonly mistake?: string;
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
  | "remoteControl"
  | "headers"
  | "caCerts"
  | "anyCertificate"
  | "preferFamily"
  | "nameServer"
  | "proxies"
>;

/**
 * Puts the layers over each other, flags over variables over the file over the record of the
 * installation over the official agent's options, and checks every value.
 *
 * A pure function of its input.
 *
 * @throws {UsageError} One line that names the option, its layer, and what is allowed.
 */
export function resolveConfig(input: ConfigInput): Config {
  try {
    return resolveLayers(input);
  } catch (error) {
    const { command } = parseArguments(input.args);
    if (!(error instanceof UsageError) || !SHOWING.includes(command)) throw error;
    return { ...resolveLayers({ ...input, installedConfigs: () => [] }), mistake: error.message };
  }
}

/** Commands that show a running agent, of which an installed configuration says nothing. */
const SHOWING: readonly Command[] = ["status", "health"];

function resolveLayers(input: ConfigInput): Config {
  const { env, importedOptions: imported, importedProxies = {} } = input;
  const { command: named, topic, flags } = parseArguments(input.args);
  const { path, texts, isInstalled } = readOptionsFile(named, flags, input);
  // The installed configuration has all that the record has, but for what was taken out of it since.
  const recorded = !isInstalled && reads(named, "record")
    ? input.recordedOptions?.(serviceOf(flags))
    : undefined;
  const givesPanels = !isInstalled ||
    [OPTIONS.endpoint, OPTIONS.panels].some((row) => flags.has(row) || env[row.variable ?? ""]);
  // Panels that are given now take the place of all installed ones.
  const hasInFile = (key: string) => !(isInstalled && givesPanels && hasTag(key, "panel"));
  const byKey = ({ key = "" }: Option<unknown>) => key;
  const layers = [
    flagLayer(flags),
    layer((name) => env[name], ({ variable = "" }) => variable, (name) => `variable ${name}`),
    layer(
      (key) => hasInFile(key) ? texts.get(key) : undefined,
      byKey,
      (key) => `key ${key} of ${path}`,
    ),
    layer((key) => recorded?.get(key), byKey, (key) => `${key} of the installation`),
    layer((key) => imported?.get(key), byKey, (key) => `${key} of the official agent`),
  ];
  const resolved = resolveOptions(layers);
  const { found, notices } = withoutUnused(resolved.found, layers);
  const options = { ...resolved, found };
  const { values } = options;
  const command = values.help ? "help" : values.version ? "version" : named;
  if (command !== "help") refuseOtherCommands(options, command);
  requireCompatible(values);
  const foundToken = findToken(options, input);
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
  if (command !== "install" && furtherPanels.some(({ token }) => token === "")) {
    throw new UsageError("Cannot report to several panels without a token of each");
  }
  const headers = withHeaders(values.headers, [
    ["CF-Access-Client-Id", values.cfAccessClientId],
    ["CF-Access-Client-Secret", values.cfAccessClientSecret],
  ]);
  const proxies = reads(command, "proxies") ? proxiesFromEnvironment(env, importedProxies) : {};
  const set = [...found].flatMap(([{ key, tags }, { text, origin }]) =>
    key === undefined ? [] : [{ key, text, origin, tags }]
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
    caCerts: [
      ...readCertificates(options, input.readText),
      ...(reads(command, "proxies") ? input.systemAuthorities?.() ?? [] : []),
    ],
    proxies,
    configPath: path,
    isConfigInstalled: isInstalled,
    givesPanels,
    // A service has its own places of these.
    explicitOptions: new Map(
      set.filter(({ tags }) => !tags?.includes("location")).map(({ key, text }) => [key, text]),
    ),
    origins: new Map(set.map(({ key, origin }) => [key, origin])),
    notices: [
      ...notices,
      ...configNotices(options, {
        env,
        readMode: input.readMode,
        token: foundToken,
        secretConfig: hasSecret(texts) ? path : undefined,
      }),
    ],
    secrets: secretsOf({
      tokens: [
        token,
        values.token,
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
 * The layer of the command line, in which `--unset` returns options to their default.
 *
 * @throws {UsageError} When a flag sets one of them.
 */
function flagLayer(flags: Flags): Layer {
  const texts = new Map<Option<unknown>, string | null>(flags);
  // A mistake in it is found with all others.
  const names = attempt(() => OPTIONS.unset.parse(flags.get(OPTIONS.unset) ?? "")) ?? [];
  for (const option of OPTION_ROWS.filter(({ key = "" }) => names.includes(key))) {
    if (flags.has(option)) {
      throw new UsageError(`Cannot use --unset ${option.key} together with --${option.flag}`);
    }
    texts.set(option, null);
  }
  // Further panels have no flag of their own: they are the further values of --endpoint.
  return {
    texts,
    nameOf: ({ flag = "endpoint" }) => ({ name: `--${flag}`, origin: `flag --${flag}` }),
  };
}

/** A layer of texts by the names that options have there; an empty text sets nothing. */
function layer(
  textOf: (name: string) => string | undefined,
  nameOf: (option: Option<unknown>) => string,
  originOf: (name: string) => string,
): Layer {
  const texts = OPTION_ROWS.flatMap((row): [Option<unknown>, string][] => {
    const text = textOf(nameOf(row));
    return text ? [[row, text]] : [];
  });
  return {
    texts: new Map(texts),
    nameOf: (row) => ({ name: nameOf(row), origin: originOf(nameOf(row)) }),
  };
}

type Flags = ReadonlyMap<Option<unknown>, string>;

/** The name of the service that a command is about. */
function serviceOf(flags: Flags): string {
  return flags.get(OPTIONS.serviceName) || OPTIONS.serviceName.initial;
}

/**
 * Reads the file that a flag or variable names, or the installed service's.
 *
 * @throws {UsageError} When it can't be used, or the installed one is another user's, who could have
 * written anything into it.
 */
function readOptionsFile(command: Command, flags: Flags, input: ConfigInput) {
  const { env, readText, installedConfigs, foreignOwner } = input;
  const ofFlag = flags.get(OPTIONS.configFile);
  const named = ofFlag ?? (env.AGENT_CONFIG_FILE || undefined);
  const namesPanel = (command === "report" || command === "doctor") &&
    (flags.has(OPTIONS.endpoint) || Boolean(env.AGENT_ENDPOINT));
  const installed = named === undefined && !namesPanel && reads(command, "installed")
    ? installedConfigs?.(serviceOf(flags)).find((path) =>
      attempt(() => readText(path)) !== undefined
    )
    : undefined;
  const owner = installed === undefined ? undefined : foreignOwner?.(installed);
  if (owner !== undefined) {
    throw new UsageError(
      `Cannot use the installed configuration ${installed}: another user (id ${owner}) owns it ` +
        `and may have changed it; check it, and run \`chown root ${installed}\` and \`install\`, which ` +
        "lets the service read it",
    );
  }
  const path = named ?? installed;
  const option = installed !== undefined
    ? "the installed configuration"
    : ofFlag !== undefined
    ? "--config"
    : "AGENT_CONFIG_FILE";
  return {
    path,
    texts: readConfigFile(path, { option, readText }),
    isInstalled: installed !== undefined,
  };
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

/**
 * The options about the servers of releases, as flags for the command line of `update`, which
 * reads no configuration.
 */
export function releaseFlags(options: OptionTexts): string[] {
  return OPTION_ROWS.flatMap(({ key = "", flag, tags }) => {
    const value = tags?.includes("release") ? options.get(key) : undefined;
    return value === undefined ? [] : [`--${flag}`, value];
  });
}

/**
 * The wanted format of log lines and language, for an error that is found before the configuration
 * is complete.
 *
 * Looks in the flags, the variables and the file that is named, but never throws: unreadable counts as not set.
 */
export function requestedOutput(
  { args, env, readText }: Pick<ConfigInput, "args" | "env" | "readText">,
): { logFormat: "text" | "json"; language: Language } {
  const names = ["config", "lang", "log-format"];
  const flags = attempt(() => parseArgs(args, { string: names })) ?? {};
  const path = flags.config || env.AGENT_CONFIG_FILE;
  const file = path ? attempt(() => parseConfigObject(readText(path), "")) : undefined;
  const asked = (flag: string, variable: string, key: string) =>
    flags[flag] || env[variable] || file?.[key];
  const language = asked("lang", "AGENT_LANG", "lang");
  return {
    logFormat: asked("log-format", "AGENT_LOG_FORMAT", "log_format") === "json" ? "json" : "text",
    language: language === "en" || language === "zh" ? language : languageOf(env),
  };
}
