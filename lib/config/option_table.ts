/**
 * The option table: a new option is one row here. Its flag, variable and JSON key, its help in both
 * languages, the page `docs/options.md` and its field of `Config` follow from the row.
 *
 * Flags, variables and keys are the official agent's where it has the option.
 *
 * @module
 */

import { parseByteCount } from "../parse/quantity.ts";
import { PROGRAM } from "../version.ts";
import type { HostAndPort } from "../parse/proxy.ts";
import { PROXY_VARIABLES } from "./environment.ts";
import {
  type FoundOption,
  isDefaultText,
  type Layer,
  type Option,
  OPTION_GROUPS,
  OptionRows,
  parseOption,
  type Tag,
} from "./option.ts";
import {
  type Header,
  INTERVAL_SECONDS,
  type ListenAddress,
  type PanelSettings,
  parseAddress,
  parseDiscoveryKey,
  parseEndpoint,
  parseHeaders,
  parseHeaderValue,
  parseInstallFolder,
  parseListenAddress,
  parseNameServer,
  parsePanels,
  parsePublicKey,
  parseServiceName,
  parseServices,
  parseStateFolder,
  parseToken,
  parseVersion,
  withoutSlash,
} from "./parsers.ts";

const panel = new OptionRows("panel");
const connection = new OptionRows("connection");
const reports = new OptionRows("reports");
const measured = new OptionRows("measured");
const month = new OptionRows("month");
const addresses = new OptionRows("addresses");
const remote = new OptionRows("remote");
const general = new OptionRows("general");
const generalFlags = new OptionRows("general", { hasVariables: false });
const install = new OptionRows("install", { hasVariables: false });
const updates = new OptionRows("updates");
const updateFlags = new OptionRows("updates", { hasVariables: false, commands: ["update"] });
const demo = new OptionRows("demo", { hasVariables: false });
const official = new OptionRows("official");
const officialFlags = new OptionRows("official", { hasVariables: false });

/** Every option of the program, in the order of the help. */
export const OPTIONS = {
  endpoint: panel.text("-e, --endpoint URL", "URL of the panel", {
    tags: ["panel"],
    isRequired: true,
    parse: parseEndpoint,
  }),
  token: panel.text(
    "-t, --token TOKEN",
    "Token of this node; the process list shows it to other users, so prefer --token-file",
    { tags: ["panel", "location"], secret: true, isRequired: true, parse: parseToken },
  ),
  tokenFile: panel.text("--token-file FILE", "File with the token, or - for standard input", {
    tags: ["panel", "location"],
    initialText: "$CREDENTIALS_DIRECTORY/token",
  }),
  panels: panel.checked<readonly PanelSettings[]>(
    "JSON",
    "More panels: a JSON array of objects with endpoint and token, optionally interval and enable_remote_control; or repeat -e and -t",
    { variable: "AGENT_PANELS", tags: ["panel"], initial: [], secret: true, parse: parsePanels },
  ),
  autoDiscoveryKey: panel.text(
    "--auto-discovery KEY",
    "The panel's auto-discovery key: register this node, and keep its token",
    {
      variable: "AGENT_AUTO_DISCOVERY_KEY",
      secret: true,
      isRequired: true,
      parse: parseDiscoveryKey,
    },
  ),
  autoDiscoveryFile: panel.text(
    "--auto-discovery-file FILE",
    "The official agent's registration file, read at the first start",
    { tags: ["root"] },
  ),
  rediscover: panel.toggle(
    "--rediscover",
    "Register again when the panel has rejected the token for 10 minutes",
  ),
  transport: connection.choice("--transport", "auto: the best that works; http: POST only", {
    initial: "auto",
    allowed: ["auto", "http"],
  }),
  protocolVersion: connection.choice(
    "--protocol-version",
    "Protocol version to try first; the agent falls back to the other",
    { initial: 2, allowed: [1, 2] },
  ),
  tokenIn: connection.choice(
    "--token-in",
    "How to send the token; auto: as a query parameter or, after a 401, as a header",
    { initial: "auto", allowed: ["auto", "query", "header"] },
  ),
  reconnectIntervalSeconds: connection.number(
    "-c, --reconnect-interval SECONDS",
    "Upper limit of the wait before the second reconnection attempt; later waits may be longer",
    { initial: 2, min: 0.1, max: 86_400 },
  ),
  preferFamily: connection.choice(
    "--prefer-ip-version",
    "Try the panel's addresses of this IP version first",
    { initial: undefined, allowed: [4, 6], initialText: "both" },
  ),
  nameServer: connection.checked<HostAndPort | undefined>(
    "--custom-dns HOST[:PORT]",
    "DNS server for the names of panel and proxy; IPv6 in brackets",
    { initial: undefined, parse: parseNameServer, initialText: "the system's" },
  ),
  compression: connection.toggleOff("--disable-compression", "Don't compress reports"),
  headers: connection.checked<readonly Header[]>(
    "--header 'NAME: VALUE'",
    "HTTP header for all requests to the panel; repeatable, one per line in the variable",
    {
      variable: "AGENT_HEADERS",
      secret: true,
      separator: "\n",
      repeats: true,
      initial: [],
      parse: parseHeaders,
    },
  ),
  cfAccessClientId: connection.text(
    "--cf-access-client-id ID",
    "Client ID for a panel behind Cloudflare Access",
    { secret: true, parse: parseHeaderValue },
  ),
  cfAccessClientSecret: connection.text(
    "--cf-access-client-secret SECRET",
    "Client secret for a panel behind Cloudflare Access",
    { secret: true, parse: parseHeaderValue },
  ),
  caCertFile: connection.text(
    "--ca-cert FILE",
    "PEM file of certificates to trust besides the public authorities",
    { commands: "updates", tags: ["root", "release"] },
  ),
  anyCertificate: connection.toggle(
    "-u, --ignore-unsafe-cert",
    "Trust any certificate; insecure: anyone between agent and panel can read the token",
  ),
  intervalSeconds: reports.number("-i, --interval SECONDS", "Time between two reports", {
    initial: undefined,
    min: INTERVAL_SECONDS.min,
    max: INTERVAL_SECONDS.max,
    initialText: "3 over WebSocket, 5 over POST; 1 in the demo",
  }),
  metrics: reports.checked<ListenAddress | undefined>(
    "--metrics ADDRESS:PORT",
    "Serve metrics for Prometheus at this address; a port alone listens on 127.0.0.1",
    { commands: "agent", initial: undefined, parse: parseListenAddress, initialText: "off" },
  ),
  allowLocalProbes: reports.toggle(
    "--allow-local-probes",
    "Let the panel probe loopback and this machine's own addresses",
  ),
  infoIntervalMinutes: reports.number(
    "--info-report-interval MINUTES",
    "Time between two reports of basic info",
    { initial: 5, min: 0.1, max: 1440 },
  ),
  includeNics: measured.globs(
    "--include-nics",
    "Count only these interfaces: names or patterns such as eth*, en[ps]?, separated by commas",
    {
      commands: ["report", "install", "doctor", "config show", "demo", "traffic set"],
      initialText: "automatic",
    },
  ),
  excludeNics: measured.globs(
    "--exclude-nics",
    "Don't count these interfaces; --include-nics wins",
  ),
  includeMountPoints: measured.list(
    "--include-mountpoint",
    "Count only these mount points, separated by semicolons",
    { variable: "AGENT_INCLUDE_MOUNTPOINTS", separator: ";", initialText: "automatic" },
  ),
  memoryMode: measured.choice(
    "--memory-mode",
    "How used memory is counted; htop: as htop shows it; available: total - available; all: total - free",
    { initial: "htop", allowed: ["htop", "available", "all"] },
  ),
  memoryIncludeCache: measured.toggle("--memory-include-cache", "Same as --memory-mode all"),
  memoryExcludeBcf: measured.toggle("--memory-exclude-bcf", "Same as --memory-mode htop", {
    variable: "AGENT_MEMORY_REPORT_RAW_USED",
  }),
  gpu: measured.toggle("--gpu", "Report graphics cards: use, memory and temperature, every 10 s", {
    variable: "AGENT_ENABLE_GPU",
  }),
  hostProc: measured.text(
    "FOLDER",
    "The host's /proc inside a container",
    { variable: "HOST_PROC", parse: withoutSlash, initialText: "/proc" },
  ),
  monthRotate: month.number(
    "--month-rotate DAY",
    "Report traffic since this day of the month, 1 to 31; 0: since boot",
    { initial: 0, min: 0, max: 31, whole: true },
  ),
  stateDir: month.text(
    "--state-dir FOLDER",
    "Folder for persistent state: monthly traffic and registration",
    {
      tags: ["root"],
      parse: parseStateFolder,
      initialText:
        "$STATE_DIRECTORY; else /var/lib/komari-agent-deno for root and for the owner of that folder; else the user's state folder",
    },
  ),
  upBytes: month.checked<number | undefined>(
    "--up BYTES",
    "Bytes sent this month, such as 12.5GiB or 300GB",
    { variable: false, commands: ["traffic set"], initial: undefined, parse: parseByteCount },
  ),
  downBytes: month.checked<number | undefined>(
    "--down BYTES",
    "Bytes received this month",
    { variable: false, commands: ["traffic set"], initial: undefined, parse: parseByteCount },
  ),
  customIpv4: addresses.text("--custom-ipv4 ADDRESS", "This machine's public IPv4 address", {
    parse: (value) => parseAddress(value, 4),
  }),
  customIpv6: addresses.text("--custom-ipv6 ADDRESS", "This machine's public IPv6 address", {
    parse: (value) => parseAddress(value, 6),
  }),
  addressesFromNic: addresses.toggle(
    "--get-ip-addr-from-nic",
    "Take public addresses from the interfaces; query no service",
  ),
  ipServices: addresses.checked<"default" | "off" | readonly string[]>(
    "--ip-services off|LIST",
    "URLs to query for the public addresses, separated by commas; off: none",
    { initial: "default", hasOff: true, parse: parseServices, initialText: "well-known services" },
  ),
  enableRemoteControl: remote.toggle(
    "--enable-remote-control",
    "Let the panel run commands, open terminals and manage files, as the agent's user",
    { tags: ["panel"] },
  ),
  requireSeal: remote.toggle(
    "--require-seal",
    "Exit with code 2 if the seal is not complete",
  ),
  disableWebSsh: remote.toggle(
    "--disable-web-ssh",
    "Turn remote control off (the official agent's option); wins over --enable-remote-control",
  ),
  disableRemoteFiles: remote.toggle(
    "--disable-remote-files",
    "Don't let remote control manage files",
  ),
  allowDowngrade: remote.toggle("--allow-downgrade", "Let remote control install an older version"),
  execTimeoutMinutes: remote.number(
    "--exec-timeout MINUTES",
    "Time limit of a command from the panel",
    { initial: 10, min: 0.01, max: 1440 },
  ),
  terminalIdleMinutes: remote.number(
    "--terminal-idle MINUTES",
    "Close a terminal after this time without input or output; 0: never",
    { initial: 60, min: 0, max: 1440 },
  ),
  configFile: general.text(
    "--config FILE",
    "JSON configuration file; may have comments",
    { variable: "AGENT_CONFIG_FILE", commands: "config", tags: ["location"] },
  ),
  dryRun: generalFlags.toggle(
    "--dry-run",
    "Show what would be sent and where each value comes from, and exit",
    { commands: ["report"] },
  ),
  verbose: generalFlags.toggle(
    "-v, --verbose",
    "List each item that is not counted (--dry-run), or all checks (doctor)",
    { commands: ["report", "doctor"] },
  ),
  alive: generalFlags.toggle("--alive", "Check only whether the agent runs", {
    commands: ["health"],
  }),
  json: generalFlags.toggle("--json", "Print JSON instead of text", { commands: "json" }),
  logLevel: general.choice("--log-level", "Minimum log level", {
    commands: "log",
    tags: ["output"],
    initial: "info",
    allowed: ["debug", "info", "warning", "error"],
  }),
  logFormat: general.choice(
    "--log-format",
    "Log as text, or as a JSON object per line",
    { commands: "log", tags: ["output"], initial: "text", allowed: ["text", "json"] },
  ),
  lang: general.choice(
    "--lang",
    "Language of the output; with $LANG alone, the agent's log stays English",
    { tags: ["output"], initial: undefined, allowed: ["en", "zh"], initialText: "by $LANG" },
  ),
  help: generalFlags.toggle(
    "-h, --help",
    "Show the help; after a command, the help of that command",
  ),
  version: generalFlags.toggle("--version", "Show the version", {
    commands: ["report", "version"],
  }),
  print: install.toggle("--print", "Show what it would do, and change nothing", {
    commands: ["install", "uninstall"],
  }),
  asRoot: install.optionalToggle(
    "--as-root",
    "Run the service as root, for remote control of the whole machine",
  ),
  replace: install.toggle("--replace", "Replace the official agent"),
  restore: install.toggle("--restore", "Start the replaced official agent again", {
    commands: ["uninstall"],
  }),
  unset: install.checked<readonly string[]>(
    "--unset NAME",
    "Return an option to its default, or remove a saved proxy; NAME is its flag, variable or key; repeatable",
    { separator: ",", repeats: true, initial: [], parse: parseUnset },
  ),
  keepState: install.toggle(
    "--keep-state",
    "Keep monthly traffic and registration for the next installation",
    { commands: ["uninstall"] },
  ),
  installDir: install.text("--install-dir FOLDER", "Folder of the program", {
    parse: parseInstallFolder,
    initialText: "/opt/komari-agent-deno, or ~/.local/share/komari-agent-deno without root",
  }),
  serviceName: install.checked("--install-service-name NAME", "Name of the service", {
    commands: "service",
    initial: PROGRAM,
    parse: parseServiceName,
  }),
  autoUpdate: updates.toggleOff(
    "--disable-auto-update",
    "Don't install new versions automatically",
    { commands: ["report", "install"] },
  ),
  pin: updates.toggle("--pin", "Keep the installed version: no automatic and no manual updates", {
    commands: ["report", "install"],
  }),
  updateUrl: updates.text(
    "--update-url URL",
    "URL of the folder with the newest release's files",
    { tags: ["root", "release"], parse: parseEndpoint, initialText: "the project's releases" },
  ),
  updateKey: updates.text("--update-key KEY", "Public key of the releases at --update-url", {
    tags: ["root", "release"],
    parse: parsePublicKey,
    initialText: "the project's",
  }),
  mirror: updates.text(
    "--mirror PREFIX",
    "Prefix for GitHub addresses, such as https://mirror.example.com",
    { tags: ["root", "release"], parse: parseEndpoint },
  ),
  installVersion: updateFlags.text(
    "--install-version VERSION",
    "Install this version instead of the newest; may be older than the installed one",
    { parse: parseVersion, initialText: "the newest" },
  ),
  check: updateFlags.toggle("--check", "Only check for a newer version"),
  now: updateFlags.toggle("--now", "Install a newer version now"),
  port: demo.number(
    "--port PORT",
    "Port of the demo's page; if in use, the next free one",
    { initial: 25774, min: 1, max: 65535, whole: true },
  ),
  fault: demo.text(
    "--fault NAME",
    "Simulate a fault of the demo's panel; --fault help lists the faults",
  ),
  maxRetries: official.ignored("-r, --max-retries N", "this agent retries without a limit"),
  officialAutoUpdate: officialFlags.ignored(
    "--autoUpdate",
    "Updates are automatic unless --disable-auto-update or --pin is set",
  ),
  memoryModeAvailable: official.ignored("--memory-mode-available", "use --memory-mode available"),
  showWarning: officialFlags.ignored("--show-warning"),
  warningPanelHost: officialFlags.ignored("--warning-panel-host TEXT"),
  warningRunAsUser: officialFlags.ignored("--warning-run-as-user TEXT"),
  warningElevated: officialFlags.ignored("--warning-elevated"),
} as const;

/** The rows of the table. */
export const OPTION_ROWS: readonly Option<unknown>[] = Object.values(OPTIONS);

/** Whether the option of a key has a tag. */
export function hasTag(key: string, tag: Tag): boolean {
  return OPTION_ROWS.some((row) => row.key === key && row.tags?.includes(tag));
}

/** Rows by their groups, in the order of the help, with the groups' titles. */
export function rowsByGroup(
  rows: readonly Option<unknown>[] = OPTION_ROWS,
): { title: string; rows: readonly Option<unknown>[] }[] {
  return Object.entries(OPTION_GROUPS)
    .map(([name, { title }]) => ({ title, rows: rows.filter(({ group }) => group === name) }))
    .filter(({ rows }) => rows.length > 0);
}

/** The value of every option, by the names of the rows. */
export type OptionValues = {
  readonly [Name in keyof typeof OPTIONS]: typeof OPTIONS[Name] extends Option<infer Value> ? Value
    : never;
};

/** The value of every option, and the layer of each that was set. */
export interface ResolvedOptions {
  readonly values: OptionValues;
  readonly found: ReadonlyMap<Option<unknown>, FoundOption>;
}

/**
 * Looks up every option in the strongest layer that has it, and parses it once.
 *
 * @param layers The strongest first.
 * @throws {UsageError} One line that names the option, its layer, and what is allowed.
 */
export function resolveOptions(layers: readonly Layer[]): ResolvedOptions {
  const found = new Map<Option<unknown>, FoundOption>();
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries<Option<unknown>>(OPTIONS)) {
    const rank = layers.findIndex(({ texts }) => texts.has(option));
    const layer = layers[rank];
    const text = layer?.texts.get(option) ?? null;
    if (layer === undefined || text === null || isDefaultText(option, text)) {
      values[name] = option.initial;
      continue;
    }
    const it = { text, rank, ...layer.nameOf(option) };
    found.set(option, it);
    values[name] = parseOption(option, it);
  }
  if (!hasEveryOption(values)) throw new TypeError("Cannot resolve every option");
  return { values, found };
}

/**
 * The names of `--unset`: keys of options, which may be written as flags or variables, and the
 * variables of proxies.
 *
 * @throws {RangeError} When there is none of that name.
 */
function parseUnset(text: string): readonly string[] {
  return text.split(",").map((word) => word.trim()).filter((word) => word !== "").map((word) => {
    const proxy = PROXY_VARIABLES.find((name) => name === word.toUpperCase());
    const name = word.replace(/^--?/, "").replaceAll("-", "_").replace(/^AGENT_/i, "")
      .toLowerCase();
    const row = OPTION_ROWS.find(({ flag, key, variable }) =>
      key !== undefined && [flag?.replaceAll("-", "_"), key, variable].includes(name)
    );
    const known = proxy ?? row?.key;
    if (known === undefined) {
      throw new RangeError(`names of options, and ${PROXY_VARIABLES.join(", ")}`);
    }
    return known;
  });
}

function hasEveryOption(values: Record<string, unknown>): values is OptionValues {
  return Object.keys(OPTIONS).every((name) => name in values);
}
