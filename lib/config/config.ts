import { attempt } from "../attempt.ts";
import type { ProxyUrls } from "../parse/proxy.ts";
import type { MemoryMode } from "../types.ts";
import { parseArguments } from "./command_line.ts";
import { type Command, reads } from "./commands.ts";
import { parseConfigObject, readOptionFile, type ReadText, settingsDigest } from "./config_file.ts";
import { findToken, secretsOf } from "./credentials.ts";
import {
  type Language,
  languageOf,
  proxiesFromEnvironment,
  type RuntimePaths,
  runtimePaths,
  type StatePaths,
  statePaths,
} from "./environment.ts";
import { type FileInput, flagLayer, layer, readOptionsFile, serviceOf } from "./layers.ts";
import {
  configNotices,
  hasAuthorization,
  refuseOtherCommands,
  requireCompatible,
  unknownVariables,
} from "./notices.ts";
import type { Option, OptionTexts } from "./option.ts";
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
export interface ConfigInput extends FileInput {
  readonly args: readonly string[];
  /** Permission bits of such a file; `undefined` if unknown. */
  readonly readMode: (path: string) => number | undefined;
  /** Options that `install` was given for a service of this name, from its record. */
  readonly recordedOptions?: (serviceName: string) => OptionTexts;
  /** Options of an official agent that is being replaced; every other layer wins over them. */
  readonly importedOptions?: OptionTexts;
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
  /** By what its settings are told from others; `undefined` without one. */
  readonly configDigest: string | undefined;
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
export type ConnectionConfig =
  & Pick<
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
  >
  & Partial<Pick<Config, "origins">>;

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

/** Commands that show what there is beside a mistake in the installed configuration. */
const SHOWING: readonly Command[] = ["status", "health", "doctor"];

function resolveLayers(input: ConfigInput): Config {
  const { env, importedOptions: imported } = input;
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
  const proxies = reads(command, "proxies") ? proxiesFromEnvironment(env) : {};
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
    configDigest: path === undefined ? undefined : settingsDigest(texts),
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
        readMode: input.readMode,
        token: foundToken,
        secretConfig: hasSecret(texts) ? path : undefined,
      }),
      ...unknownVariables(env),
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
  const flag = (name: string) => {
    const at = args.findLastIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`));
    const [, attached = args[at + 1]] = /^[^=]*=(.*)$/s.exec(args[at] ?? "") ?? [];
    return at < 0 ? undefined : attached;
  };
  const path = flag("config") || env.AGENT_CONFIG_FILE;
  const file = path ? attempt(() => parseConfigObject(readText(path), "")) : undefined;
  const asked = (name: string, variable: string, key: string) =>
    flag(name) || env[variable] || file?.[key];
  const language = asked("lang", "AGENT_LANG", "lang");
  return {
    logFormat: asked("log-format", "AGENT_LOG_FORMAT", "log_format") === "json" ? "json" : "text",
    language: language === "en" || language === "zh" ? language : languageOf(env),
  };
}
