/**
 * The one table behind flags, environment variables, JSON keys and the help.
 *
 * Names are the official agent's where it has the option.
 *
 * @module
 */

import { checked, choice, list, number, type Option, text, toggle } from "./option.ts";
import { parseAddress, parseEndpoint, parseServices, parseToken } from "./values.ts";

const LATER = "this version does not have it yet";
const NOTHING = "there is nothing for it to do here";

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
  transport: choice({
    flag: "transport",
    variable: "AGENT_TRANSPORT",
    key: "transport",
    group: "Panel",
    help: "How the panel is spoken to",
    initial: "http",
    allowed: ["http"],
  }),
  interval: number({
    flag: "interval",
    short: "i",
    variable: "AGENT_INTERVAL",
    key: "interval",
    placeholder: "SECONDS",
    group: "Reports",
    help: "Time between two reports",
    initial: 5,
    initialText: "5; 1 in the demo",
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
  hostProc: text({
    variable: "HOST_PROC",
    key: "host_proc",
    placeholder: "FOLDER",
    group: "What is measured",
    help: "The host's /proc inside a container",
    initialText: "/proc",
  }),
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
    help: "Output of --dry-run as JSON",
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
    help: "Let the stand-in panel misbehave; `--fault help` lists the ways",
    initialText: "none",
  }),
  autoDiscovery: official("auto-discovery", "AUTO_DISCOVERY_KEY", {
    placeholder: "KEY",
    secret: true,
    help: "Register this node by itself",
  }),
  maxRetries: number({
    ...names("max-retries", "MAX_RETRIES"),
    help: "Tries before falling back",
    noEffect: "ours goes on trying for ever",
    initial: 3,
    min: 0,
    max: 1_000_000,
    whole: true,
  }),
  reconnectInterval: number({
    ...names("reconnect-interval", "RECONNECT_INTERVAL"),
    short: "c",
    placeholder: "SECONDS",
    help: "Time between two tries to connect",
    noEffect: LATER,
    initial: 5,
    min: 0,
    max: 86_400,
  }),
  protocolVersion: choice({
    ...names("protocol-version", "PROTOCOL_VERSION"),
    help: "The panel's protocol",
    noEffect: LATER,
    initial: "2",
    allowed: ["1", "2"],
  }),
  disableCompression: officialSwitch("disable-compression", "DISABLE_COMPRESSION", {
    help: "Send without compression",
    noEffect: "nothing is compressed over HTTP",
  }),
  preferIpVersion: choice<"" | "4" | "6">({
    ...names("prefer-ip-version", "PREFER_IP_VERSION"),
    placeholder: "4|6",
    help: "The way to the panel",
    noEffect: LATER,
    initial: "",
    allowed: ["4", "6"],
  }),
  ignoreUnsafeCert: officialSwitch("ignore-unsafe-cert", "IGNORE_UNSAFE_CERT", {
    short: "u",
    help: "Trust any certificate",
  }),
  customDns: official("custom-dns", "CUSTOM_DNS", {
    placeholder: "HOST[:PORT]",
    help: "The name server to ask",
  }),
  monthRotate: number({
    ...names("month-rotate", "MONTH_ROTATE"),
    placeholder: "DAY",
    help: "The day on which the month's traffic starts anew",
    noEffect: LATER,
    initial: 0,
    min: 0,
    max: 31,
    whole: true,
  }),
  gpu: officialSwitch("gpu", "ENABLE_GPU", {
    key: "enable_gpu",
    help: "Details of graphics cards",
  }),
  disableWebSsh: officialSwitch("disable-web-ssh", "DISABLE_WEB_SSH", {
    help: "Remote control off",
    noEffect: "remote control is always off in this version",
  }),
  disableAutoUpdate: officialSwitch("disable-auto-update", "DISABLE_AUTO_UPDATE", {
    help: "Don't update by itself",
    noEffect: "this version never updates itself",
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
  cfAccessClientId: official("cf-access-client-id", "CF_ACCESS_CLIENT_ID", {
    placeholder: "ID",
    help: "A header for Cloudflare Access",
  }),
  cfAccessClientSecret: official("cf-access-client-secret", "CF_ACCESS_CLIENT_SECRET", {
    placeholder: "SECRET",
    secret: true,
    help: "A header for Cloudflare Access",
  }),
} as const;

interface OfficialRow {
  readonly short?: string;
  readonly key?: string;
  readonly help: string;
  readonly noEffect?: string;
  readonly secret?: boolean;
}

function official(
  flag: string,
  variable: string,
  row: OfficialRow & { placeholder: string },
): Option<string> {
  return text({ ...names(flag, variable), noEffect: LATER, ...row });
}

function officialSwitch(
  flag: string,
  variable: string | undefined,
  row: OfficialRow,
): Option<boolean> {
  return toggle({ ...names(flag, variable), noEffect: LATER, ...row });
}

function names(flag: string, variable: string | undefined) {
  const group = "Of the official agent, without effect here" as const;
  if (variable === undefined) return { flag, group };
  return { flag, group, variable: `AGENT_${variable}`, key: variable.toLowerCase() };
}
