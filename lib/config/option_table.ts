/**
 * Options about the way to the panel.
 *
 * Options of the commands `install` and `uninstall`.
 *
 * Options about the month's traffic.
 *
 * Options that units written for the official agent have, and that are taken without any effect.
 *
 * Options about what a panel may start on this machine.
 *
 * Options about newer versions of the program.
 *
 * The one table behind flags, environment variables, JSON keys and the help.
 *
 * Names are the official agent's where it has the option.
 *
 * @module
 */

import { parseByteCount } from "../parse/byte_size.ts";
import { checked, choice, list, number, type Option, text, toggle } from "./option.ts";
import {
  type NameServer,
  parseAddress,
  parseDiscoveryKey,
  parseEndpoint,
  parseHeaders,
  parseHeaderValue,
  parseNameServer,
  parseServices,
  parseToken,
} from "./parsers.ts";

/** Part of the option table, apart for its length only. */
export const CONNECTION_OPTIONS = {
  transport: choice({
    ...names("transport"),
    help: "The best that works, WebSocket before HTTP, or HTTP alone",
    initial: "auto",
    allowed: ["auto", "http"],
  }),
  protocolVersion: choice({
    ...names("protocol-version"),
    help: "The newest version of the panel's protocol to try; older panels are recognized",
    initial: "2",
    allowed: ["1", "2"],
  }),
  reconnectInterval: number({
    ...names("reconnect-interval"),
    short: "c",
    placeholder: "SECONDS",
    help: "The longest wait between two tries to connect, in the first minute",
    initial: 2,
    min: 0.1,
    max: 86_400,
  }),
  preferIpVersion: choice<"" | "4" | "6">({
    ...names("prefer-ip-version"),
    placeholder: "4|6",
    help: "Try the panel's addresses of this IP version first",
    initial: "",
    initialText: "both",
    allowed: ["4", "6"],
  }),
  customDns: checked<NameServer | undefined>({
    ...names("custom-dns"),
    placeholder: "HOST[:PORT]",
    help: "The name server that is asked for the panel's address; IPv6 in brackets",
    initial: undefined,
    initialText: "the system's",
    parse: parseNameServer,
  }),
  disableCompression: toggle({
    ...names("disable-compression"),
    help: "Send without compression",
  }),
  header: headers({
    flag: "header",
    variable: "AGENT_HEADERS",
    key: "headers",
    group: "Way to the panel",
    placeholder: "'NAME: VALUE'",
    secret: true,
    separator: "\n",
    repeats: true,
    help: "A header for everything that is sent to the panel; may be repeated, in the variable " +
      "one per line",
  }),
  cfAccessClientId: checked<string>({
    ...names("cf-access-client-id"),
    placeholder: "ID",
    secret: true,
    help: "For a panel behind Cloudflare Access: the header CF-Access-Client-Id",
    initial: "",
    parse: parseHeaderValue,
  }),
  cfAccessClientSecret: checked<string>({
    ...names("cf-access-client-secret"),
    placeholder: "SECRET",
    secret: true,
    help: "For a panel behind Cloudflare Access: the header CF-Access-Client-Secret",
    initial: "",
    parse: parseHeaderValue,
  }),
  caCert: text({
    ...names("ca-cert"),
    placeholder: "FILE",
    help: "A PEM file of certificates to trust beside the well-known ones",
    initialText: "none",
  }),
  ignoreUnsafeCert: toggle({
    ...names("ignore-unsafe-cert"),
    short: "u",
    help: "Trust any certificate: whoever sits in between can read the token",
  }),
} as const;

function headers(
  row: Omit<Option<ReturnType<typeof parseHeaders>>, "parse" | "initial">,
): Option<ReturnType<typeof parseHeaders>> {
  return { ...row, initial: [], initialText: "none", parse: parseHeaders };
}

function names(flag: string) {
  const key = flag.replaceAll("-", "_");
  const group = "Way to the panel" as const;
  return { flag, variable: `AGENT_${key.toUpperCase()}`, key, group };
}

const GROUP = "Install";

/** Part of the option table, apart for its length only. */
export const INSTALL_OPTIONS = {
  print: toggle({
    flag: "print",
    group: GROUP,
    help: "Show what would be done, and do nothing",
  }),
  asRoot: toggle({
    flag: "as-root",
    group: GROUP,
    help: "Let the service run as root; remote control wants it where it is to administer",
  }),
  replace: toggle({
    flag: "replace",
    group: GROUP,
    help: "Take the place of an official agent: its panel, token, options and month's traffic",
  }),
  restore: toggle({
    flag: "restore",
    group: GROUP,
    help: "For `uninstall`: bring back the official agent that was replaced",
  }),
  installDir: checked<string>({
    flag: "install-dir",
    placeholder: "FOLDER",
    group: GROUP,
    help: "Where the program is put",
    initial: "",
    initialText: "/opt/komari-agent-deno, without root ~/.local/share/komari-agent-deno",
    parse: parseFolder,
  }),
  installServiceName: checked<string>({
    flag: "install-service-name",
    placeholder: "NAME",
    group: GROUP,
    help: "What the service is called",
    initial: "komari-agent-deno",
    parse: parseServiceName,
  }),
} as const;

/** The folder goes into unit files and scripts, where other signs would need quoting. */
function parseFolder(value: string): string {
  const plain = /^\/[A-Za-z0-9._/+@-]*[A-Za-z0-9._+@-]\/*$/.test(value);
  if (!plain || value.split("/").includes("..")) {
    throw new RangeError(
      "a full path of letters, digits and ._+@-, such as /opt/komari-agent-deno",
    );
  }
  return value.replace(/\/+$/, "");
}

function parseServiceName(value: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$/.test(value)) {
    throw new RangeError("letters, digits and _.@-, 64 at most");
  }
  return value;
}

const GROUP_MONTH_OPTIONS = "Monthly traffic";

/** Part of the option table, apart for its length only. */
export const MONTH_OPTIONS = {
  monthRotate: number({
    flag: "month-rotate",
    variable: "AGENT_MONTH_ROTATE",
    key: "month_rotate",
    placeholder: "DAY",
    group: GROUP_MONTH_OPTIONS,
    help:
      "Report the traffic since this day of the month, 1 to 31; 0 reports it since the machine's start",
    initial: 0,
    min: 0,
    max: 31,
    whole: true,
  }),
  stateDir: checked<string>({
    flag: "state-dir",
    variable: "AGENT_STATE_DIR",
    key: "state_dir",
    placeholder: "FOLDER",
    group: GROUP_MONTH_OPTIONS,
    help:
      "Where what outlives the agent is kept: the month's traffic, and as which node it registered",
    initial: "",
    initialText: "$STATE_DIRECTORY, else /var/lib/komari-agent-deno for root, else the user's",
    parse: parseFolderMonthOptions,
  }),
  up: checked<number | undefined>({
    flag: "up",
    placeholder: "BYTES",
    group: GROUP_MONTH_OPTIONS,
    help: "For `traffic set`: what was sent this month, such as 12.5GiB or 300GB",
    initial: undefined,
    parse: parseByteCount,
  }),
  down: checked<number | undefined>({
    flag: "down",
    placeholder: "BYTES",
    group: GROUP_MONTH_OPTIONS,
    help: "For `traffic set`: what was received this month",
    initial: undefined,
    parse: parseByteCount,
  }),
} as const;

/** A relative folder would be another one after the next start. */
function parseFolderMonthOptions(value: string): string {
  if (!value.startsWith("/")) throw new RangeError("a full path, such as /var/lib/komari");
  return value.replace(/(?<=.)\/+$/, "");
}

const NOTHING = "there is nothing for it to do here";

/** Part of the option table, apart for its length only. */
export const OFFICIAL_OPTIONS = {
  maxRetries: number({
    ...namesOfficialOptions("max-retries", "MAX_RETRIES"),
    short: "r",
    help: "Tries before falling back",
    noEffect: "it never gives up on the panel, so there are no tries to count",
    initial: 3,
    min: 0,
    max: 1_000_000,
    whole: true,
  }),
  autoUpdate: officialSwitch("autoUpdate", undefined, {
    help: "Of old versions",
    noEffect: NOTHING,
  }),
  memoryModeAvailable: officialSwitch("memory-mode-available", "MEMORY_MODE_AVAILABLE", {
    help: "Of old versions",
    noEffect: `${NOTHING}; see --memory-mode available`,
  }),
  showWarning: officialSwitch("show-warning", undefined, {
    help: "Of the Windows version",
    noEffect: NOTHING,
  }),
} as const;

interface OfficialRow {
  readonly help: string;
  readonly noEffect: string;
}

function officialSwitch(
  flag: string,
  variable: string | undefined,
  row: OfficialRow,
): Option<boolean> {
  return toggle({ ...namesOfficialOptions(flag, variable), ...row });
}

function namesOfficialOptions(flag: string, variable: string | undefined) {
  const group = "Of the official agent, without effect here" as const;
  if (variable === undefined) return { flag, group };
  return { flag, group, variable: `AGENT_${variable}`, key: variable.toLowerCase() };
}

/** Part of the option table, apart for its length only. */
export const REMOTE_OPTIONS = {
  enableRemoteControl: toggle({
    ...namesRemoteOptions("enable-remote-control"),
    help: "Let the panel run commands, open terminals and handle files here, with this process's " +
      "rights",
  }),
  disableWebSsh: toggle({
    ...namesRemoteOptions("disable-web-ssh"),
    help: "The official switch against it; wins over --enable-remote-control",
  }),
  disableRemoteFiles: toggle({
    ...namesRemoteOptions("disable-remote-files"),
    help: "Let the panel run commands and open terminals, but not read and change files",
  }),
  execTimeout: number({
    ...namesRemoteOptions("exec-timeout"),
    placeholder: "MINUTES",
    help: "How long a command of the panel's may run",
    initial: 10,
    min: 0.01,
    max: 1440,
  }),
  terminalIdle: number({
    ...namesRemoteOptions("terminal-idle"),
    placeholder: "MINUTES",
    help: "How long a terminal may lie idle before it is closed",
    initial: 15,
    min: 0.01,
    max: 1440,
  }),
} as const;

function namesRemoteOptions(flag: string) {
  const key = flag.replaceAll("-", "_");
  const group = "Remote control" as const;
  return { flag, variable: `AGENT_${key.toUpperCase()}`, key, group };
}

const GROUP_UPDATE_OPTIONS = "Updates";

/** Part of the option table, apart for its length only. */
export const UPDATE_OPTIONS = {
  disableAutoUpdate: toggle({
    flag: "disable-auto-update",
    variable: "AGENT_DISABLE_AUTO_UPDATE",
    key: "disable_auto_update",
    group: GROUP_UPDATE_OPTIONS,
    help: "Don't update by itself",
  }),
  updateUrl: checked<string>({
    flag: "update-url",
    variable: "AGENT_UPDATE_URL",
    key: "update_url",
    placeholder: "URL",
    group: GROUP_UPDATE_OPTIONS,
    help: "Where the newest release is described, in the form of GitHub's API",
    initial: "",
    initialText: "the project's releases on GitHub",
    parse: parseEndpoint,
  }),
  mirror: checked<string>({
    flag: "mirror",
    variable: "AGENT_MIRROR",
    key: "mirror",
    placeholder: "PREFIX",
    group: GROUP_UPDATE_OPTIONS,
    help: "Put before every address of GitHub, such as https://mirror.example.com",
    initial: "",
    initialText: "none",
    parse: parseEndpoint,
  }),
  check: toggle({
    flag: "check",
    group: GROUP_UPDATE_OPTIONS,
    help: "For `update`: say whether there is a newer version, and change nothing",
  }),
  now: toggle({
    flag: "now",
    group: GROUP_UPDATE_OPTIONS,
    help: "For `update`: take a newer version at once",
  }),
} as const;

/** Every option of the program. */
export const OPTIONS = {
  endpoint: checked<string>({
    flag: "endpoint",
    short: "e",
    variable: "AGENT_ENDPOINT",
    key: "endpoint",
    placeholder: "URL",
    group: "Panel",
    help: "The panel's address, with its path if it has one",
    initial: "",
    parse: parseEndpoint,
  }),
  token: checked<string>({
    flag: "token",
    short: "t",
    variable: "AGENT_TOKEN",
    key: "token",
    placeholder: "TOKEN",
    group: "Panel",
    help: "This node's secret; other users of the machine can see it here, so prefer --token-file",
    initial: "",
    secret: true,
    parse: parseToken,
  }),
  tokenFile: text({
    flag: "token-file",
    variable: "AGENT_TOKEN_FILE",
    key: "token_file",
    placeholder: "FILE",
    group: "Panel",
    help: "A file that holds the token",
    initialText: "$CREDENTIALS_DIRECTORY/token",
  }),
  autoDiscovery: checked<string>({
    flag: "auto-discovery",
    variable: "AGENT_AUTO_DISCOVERY_KEY",
    key: "auto_discovery_key",
    placeholder: "KEY",
    group: "Panel",
    help: "Register this node by itself with this key of the panel's, and remember its token",
    initial: "",
    secret: true,
    parse: parseDiscoveryKey,
  }),
  rediscover: toggle({
    flag: "rediscover",
    variable: "AGENT_REDISCOVER",
    key: "rediscover",
    group: "Panel",
    help: "Register anew when the panel has not known the token for 10 minutes",
  }),
  ...CONNECTION_OPTIONS,
  interval: number({
    flag: "interval",
    short: "i",
    variable: "AGENT_INTERVAL",
    key: "interval",
    placeholder: "SECONDS",
    group: "Reports",
    help: "Time between two reports",
    initial: 3,
    initialText: "3 over WebSocket, 5 over HTTP; 1 in the demo",
    min: 0.1,
    max: 3600,
  }),
  infoReportInterval: number({
    flag: "info-report-interval",
    variable: "AGENT_INFO_REPORT_INTERVAL",
    key: "info_report_interval",
    placeholder: "MINUTES",
    group: "Reports",
    help: "Time between two basic infos",
    initial: 5,
    min: 0.1,
    max: 1440,
  }),
  includeNics: list({
    flag: "include-nics",
    variable: "AGENT_INCLUDE_NICS",
    key: "include_nics",
    separator: ",",
    group: "What is measured",
    help: "Count the traffic of these interfaces only; by commas, * and ? stand for anything",
    initialText: "chosen by itself",
  }),
  excludeNics: list({
    flag: "exclude-nics",
    variable: "AGENT_EXCLUDE_NICS",
    key: "exclude_nics",
    separator: ",",
    group: "What is measured",
    help: "Leave these interfaces out; --include-nics wins over it",
    initialText: "none",
  }),
  includeMountPoints: list({
    flag: "include-mountpoint",
    variable: "AGENT_INCLUDE_MOUNTPOINTS",
    key: "include_mountpoints",
    separator: ";",
    group: "What is measured",
    help: "Count these mount points only; by semicolons",
    initialText: "chosen by itself",
  }),
  memoryMode: choice({
    flag: "memory-mode",
    variable: "AGENT_MEMORY_MODE",
    key: "memory_mode",
    group: "What is measured",
    help: "Used memory as htop shows it, as total - available, or as total - free",
    initial: "htop",
    allowed: ["htop", "available", "all"],
  }),
  memoryIncludeCache: toggle({
    flag: "memory-include-cache",
    variable: "AGENT_MEMORY_INCLUDE_CACHE",
    key: "memory_include_cache",
    group: "What is measured",
    help: "The official name for --memory-mode all",
  }),
  memoryExcludeBcf: toggle({
    flag: "memory-exclude-bcf",
    variable: "AGENT_MEMORY_REPORT_RAW_USED",
    key: "memory_report_raw_used",
    group: "What is measured",
    help: "The official name for --memory-mode htop",
  }),
  gpu: toggle({
    flag: "gpu",
    variable: "AGENT_ENABLE_GPU",
    key: "enable_gpu",
    group: "What is measured",
    help: "Report use, memory and temperature of graphics cards too, every 10 s anew",
  }),
  hostProc: text({
    variable: "HOST_PROC",
    key: "host_proc",
    placeholder: "FOLDER",
    group: "What is measured",
    help: "The host's /proc inside a container",
    initialText: "/proc",
  }),
  ...MONTH_OPTIONS,
  customIpv4: checked<string>({
    flag: "custom-ipv4",
    variable: "AGENT_CUSTOM_IPV4",
    key: "custom_ipv4",
    placeholder: "ADDRESS",
    group: "Public addresses",
    help: "The public IPv4 address, where it is known",
    initial: "",
    parse: (value) => parseAddress(value, 4),
  }),
  customIpv6: checked<string>({
    flag: "custom-ipv6",
    variable: "AGENT_CUSTOM_IPV6",
    key: "custom_ipv6",
    placeholder: "ADDRESS",
    group: "Public addresses",
    help: "The public IPv6 address, where it is known",
    initial: "",
    parse: (value) => parseAddress(value, 6),
  }),
  getIpAddrFromNic: toggle({
    flag: "get-ip-addr-from-nic",
    variable: "AGENT_GET_IP_ADDR_FROM_NIC",
    key: "get_ip_addr_from_nic",
    group: "Public addresses",
    help: "Take the addresses of the interfaces and ask nobody",
  }),
  ipServices: checked<"default" | "off" | readonly string[]>({
    flag: "ip-services",
    variable: "AGENT_IP_SERVICES",
    key: "ip_services",
    placeholder: "off|LIST",
    group: "Public addresses",
    help: "Who is asked for the public addresses: nobody, or these URLs, by commas",
    initial: "default",
    initialText: "well-known ones",
    parse: parseServices,
  }),
  ...REMOTE_OPTIONS,
  config: text({
    flag: "config",
    variable: "AGENT_CONFIG_FILE",
    key: "config_file",
    placeholder: "FILE",
    group: "Running",
    help: "A JSON file with any of these options by their keys",
    initialText: "none",
  }),
  dryRun: toggle({
    flag: "dry-run",
    group: "Running",
    help: "Collect twice, show what would be sent and where it comes from, and end; needs no panel",
  }),
  json: toggle({
    flag: "json",
    group: "Running",
    help: "Output of --dry-run and of the commands that tell something, as JSON",
  }),
  logLevel: choice({
    flag: "log-level",
    variable: "AGENT_LOG_LEVEL",
    key: "log_level",
    group: "Running",
    help: "The least that is logged",
    initial: "info",
    allowed: ["debug", "info", "warning", "error"],
  }),
  logFormat: choice({
    flag: "log-format",
    variable: "AGENT_LOG_FORMAT",
    key: "log_format",
    group: "Running",
    help: "One line of text, or one JSON object, per event",
    initial: "text",
    allowed: ["text", "json"],
  }),
  help: toggle({ flag: "help", short: "h", group: "Running", help: "Show this and end" }),
  version: toggle({ flag: "version", group: "Running", help: "Show the version and end" }),
  ...INSTALL_OPTIONS,
  ...UPDATE_OPTIONS,
  port: number({
    flag: "port",
    placeholder: "PORT",
    group: "Demo",
    help: "Where the stand-in panel listens; the next free port when it is taken",
    initial: 25774,
    min: 1,
    max: 65535,
    whole: true,
  }),
  fault: text({
    flag: "fault",
    placeholder: "NAME",
    group: "Demo",
    help: "Let the stand-in panel misbehave; `demo --fault help` lists the ways",
    initialText: "none",
  }),
  ...OFFICIAL_OPTIONS,
} as const;
