/**
 * The option table: a new option is one row here. Its flag, variable and JSON key, its help in both
 * languages, the page `docs/options.md` and its field of `Config` follow from the row.
 *
 * Flags, variables and keys are the official agent's where it has the option.
 *
 * @module
 */

import { parseByteCount } from "../parse/byte_size.ts";
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
  endpoint: panel.text("-e, --endpoint URL", "The panel's address, with its path if it has one", {
    tags: ["panel", "official"],
    isRequired: true,
    parse: parseEndpoint,
  }),
  token: panel.text(
    "-t, --token TOKEN",
    "This node's secret; other users of the machine can see it on the command line, so prefer --token-file",
    { tags: ["panel", "location", "official"], secret: true, isRequired: true, parse: parseToken },
  ),
  tokenFile: panel.text("--token-file FILE", "A file that holds the token; - is standard input", {
    tags: ["panel", "location"],
    initialText: "$CREDENTIALS_DIRECTORY/token",
  }),
  panels: panel.checked<readonly PanelSettings[]>(
    "JSON",
    "Further panels: an array of objects with endpoint, token, and if wanted interval and enable_remote_control; -e and -t given in pairs do the same",
    {
      variable: "AGENT_PANELS",
      tags: ["panel"],
      initial: [],
      secret: true,
      parse: parsePanels,
      initialText: "none",
    },
  ),
  autoDiscoveryKey: panel.text(
    "--auto-discovery KEY",
    "Register this node automatically with the panel's auto-discovery key, and remember its token",
    {
      variable: "AGENT_AUTO_DISCOVERY_KEY",
      tags: ["official"],
      secret: true,
      isRequired: true,
      parse: parseDiscoveryKey,
    },
  ),
  autoDiscoveryFile: panel.text(
    "--auto-discovery-file FILE",
    "The official agent's file of the registration, read at the first start",
    {
      tags: ["root"],
      initialText: "none",
    },
  ),
  rediscover: panel.toggle(
    "--rediscover",
    "Register again when the panel has rejected the token for 10 minutes",
  ),
  transport: connection.choice(
    "--transport",
    "The best transport that works, WebSocket before HTTP, or HTTP only",
    { initial: "auto", allowed: ["auto", "http"] },
  ),
  protocolVersion: connection.choice(
    "--protocol-version",
    "The protocol version to try first; a panel that has only the other one gets that",
    { tags: ["official"], initial: 2, allowed: [1, 2] },
  ),
  tokenIn: connection.choice(
    "--token-in",
    "Where the panel takes the token; auto tries the query first, and the header after a 401",
    { initial: "auto", allowed: ["auto", "query", "header"] },
  ),
  reconnectIntervalSeconds: connection.number(
    "-c, --reconnect-interval SECONDS",
    "Wait between the first connection attempts of an outage; later ones wait longer",
    {
      tags: ["official"],
      initial: 2,
      min: 0.1,
      max: 86_400,
      initialText: "2 (official: 5)",
    },
  ),
  preferFamily: connection.choice(
    "--prefer-ip-version",
    "Try the panel's addresses of this IP version first",
    {
      tags: ["official"],
      initial: undefined,
      allowed: [4, 6],
      initialText: "both",
    },
  ),
  nameServer: connection.checked<HostAndPort | undefined>(
    "--custom-dns HOST[:PORT]",
    "Name server that resolves the panel's address; IPv6 in brackets",
    {
      tags: ["official"],
      initial: undefined,
      parse: parseNameServer,
      initialText: "the system's",
    },
  ),
  compression: connection.toggleOff("--disable-compression", "Send without compression", {
    tags: ["official"],
  }),
  headers: connection.checked<readonly Header[]>(
    "--header 'NAME: VALUE'",
    "A header for every request to the panel; may be repeated, in the variable one per line",
    {
      variable: "AGENT_HEADERS",
      secret: true,
      separator: "\n",
      repeats: true,
      initial: [],
      parse: parseHeaders,
      initialText: "none",
    },
  ),
  cfAccessClientId: connection.text(
    "--cf-access-client-id ID",
    "For a panel behind Cloudflare Access: the header CF-Access-Client-Id",
    { tags: ["official"], secret: true, parse: parseHeaderValue },
  ),
  cfAccessClientSecret: connection.text(
    "--cf-access-client-secret SECRET",
    "For a panel behind Cloudflare Access: the header CF-Access-Client-Secret",
    { tags: ["official"], secret: true, parse: parseHeaderValue },
  ),
  caCertFile: connection.text(
    "--ca-cert FILE",
    "A PEM file with certificates to trust in addition to the well-known ones",
    {
      commands: "updates",
      tags: ["root", "release"],
      initialText: "none",
    },
  ),
  anyCertificate: connection.toggle(
    "-u, --ignore-unsafe-cert",
    "Trust any certificate: anyone between agent and panel can read the token",
    { tags: ["official"] },
  ),
  intervalSeconds: reports.number("-i, --interval SECONDS", "Time between two reports", {
    tags: ["official"],
    initial: undefined,
    min: INTERVAL_SECONDS.min,
    max: INTERVAL_SECONDS.max,
    initialText:
      `${INTERVAL_SECONDS.webSocket} over WebSocket, ${INTERVAL_SECONDS.post} over HTTP; ` +
      `${INTERVAL_SECONDS.demo} in the demo`,
  }),
  metrics: reports.checked<ListenAddress | undefined>(
    "--metrics ADDRESS:PORT",
    "Serve metrics for Prometheus on this address; on 127.0.0.1 if only a port is given",
    {
      commands: "agent",
      initial: undefined,
      parse: parseListenAddress,
      initialText: "off",
    },
  ),
  allowLocalProbes: reports.toggle(
    "--allow-local-probes",
    "Let the panel probe this machine's own addresses and loopback",
  ),
  infoIntervalMinutes: reports.number(
    "--info-report-interval MINUTES",
    "Time between two basic infos",
    { tags: ["official"], initial: 5, min: 0.1, max: 1440 },
  ),
  includeNics: measured.globs(
    "--include-nics",
    "Count only these interfaces; separated by commas, patterns as eth*, en[ps]?",
    {
      commands: ["report", "install", "doctor", "config show", "demo", "traffic set"],
      tags: ["official"],
      initialText: "automatic",
    },
  ),
  excludeNics: measured.globs(
    "--exclude-nics",
    "Don't count these interfaces; --include-nics wins",
    {
      tags: ["official"],
      initialText: "none",
    },
  ),
  includeMountPoints: measured.list(
    "--include-mountpoint",
    "Count only these mount points; separated by semicolons",
    {
      variable: "AGENT_INCLUDE_MOUNTPOINTS",
      tags: ["official"],
      separator: ";",
      initialText: "automatic",
    },
  ),
  memoryMode: measured.choice(
    "--memory-mode",
    "Used memory as htop shows it, as total - available, or as total - free",
    { initial: "htop", allowed: ["htop", "available", "all"] },
  ),
  memoryIncludeCache: measured.toggle(
    "--memory-include-cache",
    "The official name for --memory-mode all",
    { tags: ["official"] },
  ),
  memoryExcludeBcf: measured.toggle(
    "--memory-exclude-bcf",
    "The official name for --memory-mode htop",
    { variable: "AGENT_MEMORY_REPORT_RAW_USED", tags: ["official"] },
  ),
  gpu: measured.toggle(
    "--gpu",
    "Report use, memory and temperature of graphics cards too, updated every 10 s",
    { variable: "AGENT_ENABLE_GPU", tags: ["official"] },
  ),
  hostProc: measured.text("FOLDER", "The host's /proc inside a container", {
    variable: "HOST_PROC",
    tags: ["official"],
    parse: withoutSlash,
    initialText: "/proc",
  }),
  monthRotate: month.number(
    "--month-rotate DAY",
    "Report the traffic since this day of the month, 1 to 31; 0 reports it since the machine's start",
    { tags: ["official"], initial: 0, min: 0, max: 31, whole: true },
  ),
  stateDir: month.text(
    "--state-dir FOLDER",
    "Folder for persistent state: monthly traffic and registration",
    {
      tags: ["root"],
      parse: parseStateFolder,
      initialText: "$STATE_DIRECTORY, else /var/lib/komari-agent-deno for root, else the user's",
    },
  ),
  upBytes: month.checked<number | undefined>(
    "--up BYTES",
    "For `traffic set`: bytes sent this month, such as 12.5GiB or 300GB",
    { variable: false, commands: ["traffic set"], initial: undefined, parse: parseByteCount },
  ),
  downBytes: month.checked<number | undefined>(
    "--down BYTES",
    "For `traffic set`: bytes received this month",
    { variable: false, commands: ["traffic set"], initial: undefined, parse: parseByteCount },
  ),
  customIpv4: addresses.text("--custom-ipv4 ADDRESS", "This machine's public IPv4 address", {
    tags: ["official"],
    parse: (value) => parseAddress(value, 4),
  }),
  customIpv6: addresses.text("--custom-ipv6 ADDRESS", "This machine's public IPv6 address", {
    tags: ["official"],
    parse: (value) => parseAddress(value, 6),
  }),
  addressesFromNic: addresses.toggle(
    "--get-ip-addr-from-nic",
    "Use the interfaces' addresses and ask no service",
    { tags: ["official"] },
  ),
  ipServices: addresses.checked<"default" | "off" | readonly string[]>(
    "--ip-services off|LIST",
    "Services that are asked for the public addresses: none, or these URLs, separated by commas",
    {
      initial: "default",
      hasOff: true,
      parse: parseServices,
      initialText: "well-known ones",
    },
  ),
  enableRemoteControl: remote.toggle(
    "--enable-remote-control",
    "Let the panel run commands, open terminals and handle files, with this process's rights",
    { tags: ["panel"] },
  ),
  requireSeal: remote.toggle(
    "--require-seal",
    "Exit with code 2 where the kernel can't seal this process",
  ),
  disableWebSsh: remote.toggle(
    "--disable-web-ssh",
    "The official agent's switch to turn it off; wins over --enable-remote-control",
    { tags: ["official"] },
  ),
  disableRemoteFiles: remote.toggle(
    "--disable-remote-files",
    "With remote control on: no files, only commands and terminals",
  ),
  allowDowngrade: remote.toggle(
    "--allow-downgrade",
    "With remote control on: let the panel order a version below the installed one",
  ),
  execTimeoutMinutes: remote.number(
    "--exec-timeout MINUTES",
    "How long a command from the panel may run",
    { initial: 10, min: 0.01, max: 1440 },
  ),
  terminalIdleMinutes: remote.number(
    "--terminal-idle MINUTES",
    "How long a terminal may be idle before it is closed",
    { initial: 15, min: 0.01, max: 1440 },
  ),
  configFile: general.text(
    "--config FILE",
    "A JSON file with any of these options by their keys; comments are allowed",
    {
      variable: "AGENT_CONFIG_FILE",
      commands: "config",
      tags: ["location", "official"],
      initialText: "none",
    },
  ),
  dryRun: generalFlags.toggle(
    "--dry-run",
    "Measure twice, show what would be sent and where it comes from, and exit; needs no panel",
    { commands: ["report"] },
  ),
  verbose: generalFlags.toggle(
    "-v, --verbose",
    "With --dry-run: show each interface and mount point that is left out in a line of its own",
    { commands: ["report"] },
  ),
  alive: generalFlags.toggle(
    "--alive",
    "Ask only whether the agent runs, not whether the panel accepts its reports",
    { commands: ["health"] },
  ),
  json: generalFlags.toggle("--json", "Print JSON instead of text", { commands: "json" }),
  logLevel: general.choice("--log-level", "Minimum log level", {
    commands: "log",
    tags: ["output"],
    initial: "info",
    allowed: ["debug", "info", "warning", "error"],
  }),
  logFormat: general.choice("--log-format", "One line of text, or one JSON object, per event", {
    commands: "log",
    tags: ["output"],
    initial: "text",
    allowed: ["text", "json"],
  }),
  lang: general.choice(
    "--lang",
    "Language of what is printed for people; by $LANG alone, the agent's log stays English",
    {
      tags: ["output"],
      initial: undefined,
      allowed: ["en", "zh"],
      initialText: "by $LANG",
    },
  ),
  help: generalFlags.toggle("-h, --help", "Show the help, after a command only its own, and exit"),
  version: generalFlags.toggle("--version", "Show the version and exit", {
    commands: ["report", "version"],
  }),
  print: install.toggle(
    "--print",
    "For `install` and `uninstall`: show what would be done, and change nothing",
    { commands: ["install", "uninstall"] },
  ),
  asRoot: install.optionalToggle(
    "--as-root",
    "Run the service as root; needed to administer the machine by remote control",
  ),
  replace: install.toggle("--replace", "For `install`: replace the official agent"),
  restore: install.toggle(
    "--restore",
    "For `uninstall`: restore the official agent that was replaced",
    { commands: ["uninstall"] },
  ),
  unset: install.checked<readonly string[]>(
    "--unset NAME",
    "For `install`: return an option or a saved proxy to its default, by the name of its flag or of its variable; may be repeated",
    {
      separator: ",",
      repeats: true,
      initial: [],
      parse: parseUnset,
      initialText: "none",
    },
  ),
  keepState: install.toggle(
    "--keep-state",
    "For `uninstall`: keep the monthly traffic and the registration for the next installation",
    { commands: ["uninstall"] },
  ),
  installDir: install.text("--install-dir FOLDER", "Folder of the program", {
    parse: parseInstallFolder,
    initialText: "/opt/komari-agent-deno, without root ~/.local/share/komari-agent-deno",
  }),
  serviceName: install.checked("--install-service-name NAME", "Name of the service", {
    commands: "service",
    initial: PROGRAM,
    parse: parseServiceName,
  }),
  autoUpdate: updates.toggleOff(
    "--disable-auto-update",
    "Don't install new versions automatically",
    { commands: ["report", "install"], tags: ["official"] },
  ),
  pin: updates.toggle(
    "--pin",
    "Stay at the version that is installed: no updates, neither automatic nor by hand",
    { commands: ["report", "install"] },
  ),
  updateUrl: updates.text(
    "--update-url URL",
    "URL that describes the newest release, in the format of GitHub's API",
    {
      tags: ["root", "release"],
      parse: parseEndpoint,
      initialText: "the project's releases",
    },
  ),
  updateKey: updates.text(
    "--update-key KEY",
    "Public key that the releases of --update-url are signed with",
    {
      tags: ["root", "release"],
      parse: parsePublicKey,
      initialText: "the project's",
    },
  ),
  mirror: updates.text(
    "--mirror PREFIX",
    "Put before every address of GitHub, such as https://mirror.example.com",
    {
      tags: ["root", "release"],
      parse: parseEndpoint,
      initialText: "none",
    },
  ),
  installVersion: updateFlags.text(
    "--install-version VERSION",
    "For `update`: this version in place of the newest, even an older one",
    {
      parse: parseVersion,
      initialText: "the newest",
    },
  ),
  check: updateFlags.toggle(
    "--check",
    "For `update`: say whether there is a newer version, and change nothing",
  ),
  now: updateFlags.toggle("--now", "For `update`: install a newer version now"),
  port: demo.number("--port PORT", "Port of the demo's panel; the next free port if it is in use", {
    initial: 25774,
    min: 1,
    max: 65535,
    whole: true,
  }),
  fault: demo.text("--fault NAME", "Fault of the demo's panel; `demo --fault help` lists all", {
    initialText: "none",
  }),
  maxRetries: official.ignored("-r, --max-retries N", "this agent never gives up on the panel"),
  officialAutoUpdate: officialFlags.ignored("--autoUpdate"),
  memoryModeAvailable: official.ignored(
    "--memory-mode-available",
    "it does nothing in this agent; use --memory-mode available",
  ),
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
