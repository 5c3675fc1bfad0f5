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
import type { Translation } from "./language.ts";
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
  endpoint: panel.text({
    flag: "endpoint",
    short: "e",
    placeholder: "URL",
    tags: ["panel", "official"],
    help: {
      en: "The panel's address, with its path if it has one",
      zh: "面板地址；带路径的要写上路径",
    },
    isRequired: true,
    parse: parseEndpoint,
  }),
  token: panel.text({
    flag: "token",
    short: "t",
    placeholder: "TOKEN",
    tags: ["panel", "location", "official"],
    help: {
      en:
        "This node's secret; other users of the machine can see it on the command line, so prefer --token-file",
      zh: "本节点的令牌；写在这里会被机器上的其他用户看到，建议用 --token-file",
    },
    secret: true,
    isRequired: true,
    parse: parseToken,
  }),
  tokenFile: panel.text({
    flag: "token-file",
    placeholder: "FILE",
    tags: ["panel", "location"],
    help: {
      en: "A file that holds the token; - is standard input",
      zh: "保存令牌的文件；- 表示标准输入",
    },
    initialText: { en: "$CREDENTIALS_DIRECTORY/token", zh: "$CREDENTIALS_DIRECTORY/token" },
  }),
  panels: panel.checked<readonly PanelSettings[]>({
    variable: "AGENT_PANELS",
    placeholder: "JSON",
    tags: ["panel"],
    help: {
      en:
        "Further panels: an array of objects with endpoint, token, and if wanted interval and enable_remote_control; -e and -t given in pairs do the same",
      zh:
        "其他面板：由对象组成的数组，每个对象含 endpoint、token，可选 interval 和 enable_remote_control；也可以成对地多次给出 -e 和 -t",
    },
    initialText: { en: "none", zh: "无" },
    initial: [],
    secret: true,
    parse: parsePanels,
  }),
  autoDiscoveryKey: panel.text({
    flag: "auto-discovery",
    variable: "AGENT_AUTO_DISCOVERY_KEY",
    placeholder: "KEY",
    tags: ["official"],
    help: {
      en:
        "Register this node automatically with the panel's auto-discovery key, and remember its token",
      zh: "用面板的自动发现密钥自动注册本节点，并记住得到的令牌",
    },
    secret: true,
    isRequired: true,
    parse: parseDiscoveryKey,
  }),
  autoDiscoveryFile: panel.text({
    flag: "auto-discovery-file",
    placeholder: "FILE",
    tags: ["root"],
    help: {
      en:
        "The official agent's file of the registration: read at the first start, and given each new node",
      zh: "官方 Agent 保存注册结果的文件：首次启动时读取，并写入每次新的注册结果",
    },
    initialText: { en: "none", zh: "无" },
  }),
  rediscover: panel.toggle({
    flag: "rediscover",
    help: {
      en: "Register again when the panel has rejected the token for 10 minutes",
      zh: "面板连续 10 分钟判定令牌无效时重新注册",
    },
  }),
  transport: connection.choice({
    flag: "transport",
    help: {
      en: "The best transport that works, WebSocket before HTTP, or HTTP only",
      zh: "auto：可行的最佳传输方式，WebSocket 优先于 HTTP；http：只用 HTTP",
    },
    initial: "auto",
    allowed: ["auto", "http"],
  }),
  protocolVersion: connection.choice({
    flag: "protocol-version",
    tags: ["official"],
    help: {
      en: "The protocol version to try first; a panel that has only the other one gets that",
      zh: "首先尝试的协议版本；若面板只支持另一个版本，则使用那个版本",
    },
    initial: 2,
    allowed: [1, 2],
  }),
  tokenIn: connection.choice({
    flag: "token-in",
    help: {
      en: "Where the panel takes the token; auto tries the query first, and the header after a 401",
      zh: "面板从哪里读取令牌；auto 先用查询参数，遇到 401 再试请求头",
    },
    initial: "auto",
    allowed: ["auto", "query", "header"],
  }),
  reconnectIntervalSeconds: connection.number({
    flag: "reconnect-interval",
    short: "c",
    placeholder: "SECONDS",
    tags: ["official"],
    help: {
      en: "Wait between the first connection attempts of an outage; later ones wait longer",
      zh: "连接中断后，头几次尝试之间的等待时间；之后会更长",
    },
    initialText: { en: "2 (official: 5)", zh: "2（官方为 5）" },
    initial: 2,
    min: 0.1,
    max: 86_400,
  }),
  preferFamily: connection.choice({
    flag: "prefer-ip-version",
    tags: ["official"],
    help: {
      en: "Try the panel's addresses of this IP version first",
      zh: "优先尝试面板的这种 IP 版本的地址",
    },
    initialText: { en: "both", zh: "两者皆可" },
    initial: undefined,
    allowed: [4, 6],
  }),
  nameServer: connection.checked<HostAndPort | undefined>({
    flag: "custom-dns",
    placeholder: "HOST[:PORT]",
    tags: ["official"],
    help: {
      en: "Name server that resolves the panel's address; IPv6 in brackets",
      zh: "用来解析面板地址的 DNS 服务器；IPv6 写在方括号里",
    },
    initialText: { en: "the system's", zh: "系统的设置" },
    initial: undefined,
    parse: parseNameServer,
  }),
  compression: connection.toggleOff({
    flag: "disable-compression",
    tags: ["official"],
    help: { en: "Send without compression", zh: "发送时不压缩" },
  }),
  headers: connection.checked<readonly Header[]>({
    flag: "header",
    variable: "AGENT_HEADERS",
    placeholder: "'NAME: VALUE'",
    help: {
      en: "A header for every request to the panel; may be repeated, in the variable one per line",
      zh: "发给面板的所有请求都带上的请求头；可重复，在环境变量里每行一个",
    },
    initialText: { en: "none", zh: "无" },
    secret: true,
    separator: "\n",
    repeats: true,
    initial: [],
    parse: parseHeaders,
  }),
  cfAccessClientId: connection.text({
    flag: "cf-access-client-id",
    placeholder: "ID",
    tags: ["official"],
    help: {
      en: "For a panel behind Cloudflare Access: the header CF-Access-Client-Id",
      zh: "用于 Cloudflare Access 后面的面板：请求头 CF-Access-Client-Id",
    },
    secret: true,
    parse: parseHeaderValue,
  }),
  cfAccessClientSecret: connection.text({
    flag: "cf-access-client-secret",
    placeholder: "SECRET",
    tags: ["official"],
    help: {
      en: "For a panel behind Cloudflare Access: the header CF-Access-Client-Secret",
      zh: "用于 Cloudflare Access 后面的面板：请求头 CF-Access-Client-Secret",
    },
    secret: true,
    parse: parseHeaderValue,
  }),
  caCertFile: connection.text({
    flag: "ca-cert",
    placeholder: "FILE",
    commands: "updates",
    tags: ["root", "release"],
    help: {
      en: "A PEM file with certificates to trust in addition to the well-known ones",
      zh: "PEM 文件，其中的证书在公认的证书之外也予以信任",
    },
    initialText: { en: "none", zh: "无" },
  }),
  anyCertificate: connection.toggle({
    flag: "ignore-unsafe-cert",
    short: "u",
    tags: ["official"],
    help: {
      en: "Trust any certificate: anyone between agent and panel can read the token",
      zh: "信任任何证书：Agent 与面板之间的任何人都能读到令牌",
    },
  }),
  intervalSeconds: reports.number({
    flag: "interval",
    short: "i",
    placeholder: "SECONDS",
    tags: ["official"],
    help: { en: "Time between two reports", zh: "两次上报之间的间隔" },
    initialText: {
      en: `${INTERVAL_SECONDS.webSocket} over WebSocket, ${INTERVAL_SECONDS.post} over HTTP; ` +
        `${INTERVAL_SECONDS.demo} in the demo`,
      zh: `WebSocket 为 ${INTERVAL_SECONDS.webSocket}，HTTP 为 ${INTERVAL_SECONDS.post}；` +
        `演示为 ${INTERVAL_SECONDS.demo}`,
    },
    initial: undefined,
    min: INTERVAL_SECONDS.min,
    max: INTERVAL_SECONDS.max,
  }),
  metrics: reports.checked<ListenAddress | undefined>({
    flag: "metrics",
    placeholder: "ADDRESS:PORT",
    commands: "agent",
    help: {
      en: "Serve metrics for Prometheus on this address; on 127.0.0.1 if only a port is given",
      zh: "在此地址向 Prometheus 提供指标；只给端口时为 127.0.0.1",
    },
    initialText: { en: "off", zh: "关闭" },
    initial: undefined,
    parse: parseListenAddress,
  }),
  allowLocalProbes: reports.toggle({
    flag: "allow-local-probes",
    help: {
      en: "Let the panel probe this machine's own addresses and loopback",
      zh: "允许面板探测本机自己的地址和回环地址",
    },
  }),
  infoIntervalMinutes: reports.number({
    flag: "info-report-interval",
    placeholder: "MINUTES",
    tags: ["official"],
    help: { en: "Time between two basic infos", zh: "两次上报基础信息之间的间隔" },
    initial: 5,
    min: 0.1,
    max: 1440,
  }),
  includeNics: measured.globs({
    flag: "include-nics",
    commands: ["report", "install", "doctor", "config show", "demo", "traffic set"],
    tags: ["official"],
    help: {
      en: "Count only these interfaces; separated by commas, patterns as eth*, en[ps]?",
      zh: "只统计这些网卡的流量；用逗号分隔，可用 eth*、en[ps]? 这样的模式",
    },
    initialText: { en: "automatic", zh: "自动选择" },
  }),
  excludeNics: measured.globs({
    flag: "exclude-nics",
    tags: ["official"],
    help: {
      en: "Don't count these interfaces; --include-nics wins",
      zh: "不统计这些网卡；与 --include-nics 冲突时以后者为准",
    },
    initialText: { en: "none", zh: "无" },
  }),
  includeMountPoints: measured.list({
    flag: "include-mountpoint",
    variable: "AGENT_INCLUDE_MOUNTPOINTS",
    tags: ["official"],
    help: {
      en: "Count only these mount points; separated by semicolons",
      zh: "只统计这些挂载点；用分号分隔",
    },
    initialText: { en: "automatic", zh: "自动选择" },
    separator: ";",
  }),
  memoryMode: measured.choice({
    flag: "memory-mode",
    help: {
      en: "Used memory as htop shows it, as total - available, or as total - free",
      zh: "已用内存按 htop 的算法、按“总量 - 可用”，或按“总量 - 空闲”",
    },
    initial: "htop",
    allowed: ["htop", "available", "all"],
  }),
  memoryIncludeCache: measured.toggle({
    flag: "memory-include-cache",
    tags: ["official"],
    help: { en: "The official name for --memory-mode all", zh: "--memory-mode all 的官方名称" },
  }),
  memoryExcludeBcf: measured.toggle({
    flag: "memory-exclude-bcf",
    variable: "AGENT_MEMORY_REPORT_RAW_USED",
    tags: ["official"],
    help: { en: "The official name for --memory-mode htop", zh: "--memory-mode htop 的官方名称" },
  }),
  gpu: measured.toggle({
    flag: "gpu",
    variable: "AGENT_ENABLE_GPU",
    tags: ["official"],
    help: {
      en: "Report use, memory and temperature of graphics cards too, updated every 10 s",
      zh: "同时上报显卡的使用率、显存和温度，每 10 秒更新一次",
    },
  }),
  hostProc: measured.text({
    variable: "HOST_PROC",
    placeholder: "FOLDER",
    tags: ["official"],
    help: { en: "The host's /proc inside a container", zh: "在容器中，宿主机的 /proc 所在的位置" },
    initialText: { en: "/proc", zh: "/proc" },
    parse: withoutSlash,
  }),
  monthRotate: month.number({
    flag: "month-rotate",
    placeholder: "DAY",
    tags: ["official"],
    help: {
      en:
        "Report the traffic since this day of the month, 1 to 31; 0 reports it since the machine's start",
      zh: "上报自每月这一天起的流量，1 到 31；0 表示上报自开机起的流量",
    },
    initial: 0,
    min: 0,
    max: 31,
    whole: true,
  }),
  stateDir: month.text({
    flag: "state-dir",
    placeholder: "FOLDER",
    tags: ["root"],
    help: {
      en: "Folder for persistent state: monthly traffic and registration",
      zh: "保存持久状态的目录：月流量和注册结果",
    },
    initialText: {
      en: "$STATE_DIRECTORY, else /var/lib/komari-agent-deno for root, else the user's",
      zh: "$STATE_DIRECTORY；没有时，root 为 /var/lib/komari-agent-deno，其他用户为自己的目录",
    },
    parse: parseStateFolder,
  }),
  upBytes: month.checked<number | undefined>({
    flag: "up",
    variable: false,
    placeholder: "BYTES",
    commands: ["traffic set"],
    help: {
      en: "For `traffic set`: bytes sent this month, such as 12.5GiB or 300GB",
      zh: "用于 `traffic set`：本周期已发送的流量，如 12.5GiB 或 300GB",
    },
    initial: undefined,
    parse: parseByteCount,
  }),
  downBytes: month.checked<number | undefined>({
    flag: "down",
    variable: false,
    placeholder: "BYTES",
    commands: ["traffic set"],
    help: {
      en: "For `traffic set`: bytes received this month",
      zh: "用于 `traffic set`：本周期已接收的流量",
    },
    initial: undefined,
    parse: parseByteCount,
  }),
  customIpv4: addresses.text({
    flag: "custom-ipv4",
    placeholder: "ADDRESS",
    tags: ["official"],
    help: { en: "This machine's public IPv4 address", zh: "已知的公网 IPv4 地址" },
    parse: (value) => parseAddress(value, 4),
  }),
  customIpv6: addresses.text({
    flag: "custom-ipv6",
    placeholder: "ADDRESS",
    tags: ["official"],
    help: { en: "This machine's public IPv6 address", zh: "已知的公网 IPv6 地址" },
    parse: (value) => parseAddress(value, 6),
  }),
  addressesFromNic: addresses.toggle({
    flag: "get-ip-addr-from-nic",
    tags: ["official"],
    help: {
      en: "Use the interfaces' addresses and ask no service",
      zh: "直接取网卡的地址，不向外部查询",
    },
  }),
  ipServices: addresses.checked<"default" | "off" | readonly string[]>({
    flag: "ip-services",
    placeholder: "off|LIST",
    help: {
      en:
        "Services that are asked for the public addresses: none, or these URLs, separated by commas",
      zh: "向谁查询公网地址：不查询，或查询这些 URL，用逗号分隔",
    },
    initialText: { en: "well-known ones", zh: "常用服务" },
    initial: "default",
    hasOff: true,
    parse: parseServices,
  }),
  enableRemoteControl: remote.toggle({
    flag: "enable-remote-control",
    tags: ["panel"],
    help: {
      en: "Let the panel run commands, open terminals and handle files, with this process's rights",
      zh: "允许面板在这里执行命令、打开终端、管理文件，权限与本进程相同",
    },
  }),
  requireSeal: remote.toggle({
    flag: "require-seal",
    help: {
      en: "Exit with code 2 where the kernel can't seal this process",
      zh: "内核无法封闭本进程时，以退出码 2 结束",
    },
  }),
  disableWebSsh: remote.toggle({
    flag: "disable-web-ssh",
    tags: ["official"],
    help: {
      en: "The official agent's switch to turn it off; wins over --enable-remote-control",
      zh: "官方的禁用开关；优先于 --enable-remote-control",
    },
  }),
  disableRemoteFiles: remote.toggle({
    flag: "disable-remote-files",
    help: {
      en: "With remote control on: no files, only commands and terminals",
      zh: "开启远程控制时：不含文件管理，只有命令和终端",
    },
  }),
  allowDowngrade: remote.toggle({
    flag: "allow-downgrade",
    help: {
      en: "With remote control on: let the panel order a version below the installed one",
      zh: "开启远程控制时：允许面板要求安装比已安装版本更旧的版本",
    },
  }),
  execTimeoutMinutes: remote.number({
    flag: "exec-timeout",
    placeholder: "MINUTES",
    help: { en: "How long a command from the panel may run", zh: "面板的一条命令最多执行多久" },
    initial: 10,
    min: 0.01,
    max: 1440,
  }),
  terminalIdleMinutes: remote.number({
    flag: "terminal-idle",
    placeholder: "MINUTES",
    help: { en: "How long a terminal may be idle before it is closed", zh: "终端闲置多久后关闭" },
    initial: 15,
    min: 0.01,
    max: 1440,
  }),
  configFile: general.text({
    flag: "config",
    variable: "AGENT_CONFIG_FILE",
    placeholder: "FILE",
    commands: "config",
    tags: ["location", "official"],
    help: {
      en: "A JSON file with any of these options by their keys; comments are allowed",
      zh: "JSON 文件，用各选项的键设置其中任意选项；可以写注释",
    },
    initialText: { en: "none", zh: "无" },
  }),
  dryRun: generalFlags.toggle({
    flag: "dry-run",
    commands: ["report"],
    help: {
      en:
        "Measure twice, show what would be sent and where it comes from, and exit; needs no panel",
      zh: "采集两次，显示会发送什么、来自哪里，然后退出；不需要面板",
    },
  }),
  verbose: generalFlags.toggle({
    flag: "verbose",
    short: "v",
    commands: ["report"],
    help: {
      en:
        "With --dry-run: show each interface and mount point that is left out in a line of its own",
      zh: "与 --dry-run 一起使用：不统计的每个网卡和挂载点各占一行",
    },
  }),
  alive: generalFlags.toggle({
    flag: "alive",
    commands: ["health"],
    help: {
      en: "Ask only whether the agent runs, not whether the panel accepts its reports",
      zh: "只检查 Agent 是否在运行，不管面板是否接受上报",
    },
  }),
  json: generalFlags.toggle({
    flag: "json",
    commands: "json",
    help: { en: "Print JSON instead of text", zh: "以 JSON 代替文字输出" },
  }),
  logLevel: general.choice({
    flag: "log-level",
    commands: "log",
    tags: ["output"],
    help: { en: "Minimum log level", zh: "最低日志级别" },
    initial: "info",
    allowed: ["debug", "info", "warning", "error"],
  }),
  logFormat: general.choice({
    flag: "log-format",
    commands: "log",
    tags: ["output"],
    help: {
      en: "One line of text, or one JSON object, per event",
      zh: "每个事件一行文字，或一个 JSON 对象",
    },
    initial: "text",
    allowed: ["text", "json"],
  }),
  lang: general.choice({
    flag: "lang",
    tags: ["output"],
    help: {
      en: "Language of what is printed for people; by $LANG alone, the agent's log stays English",
      zh: "供人阅读的输出所用的语言；只由 $LANG 决定时，Agent 的日志仍是英文",
    },
    initialText: { en: "by $LANG", zh: "由 $LANG 决定" },
    initial: undefined,
    allowed: ["en", "zh"],
  }),
  help: generalFlags.toggle({
    flag: "help",
    short: "h",
    help: {
      en: "Show the help, after a command only its own, and exit",
      zh: "显示帮助并退出；写在命令之后时只显示该命令的帮助",
    },
  }),
  version: generalFlags.toggle({
    flag: "version",
    commands: ["report", "version"],
    help: { en: "Show the version and exit", zh: "显示版本并退出" },
  }),
  print: install.toggle({
    flag: "print",
    commands: ["install", "uninstall"],
    help: {
      en: "For `install` and `uninstall`: show what would be done, and change nothing",
      zh: "用于 `install` 和 `uninstall`：只显示会做什么，不做任何改动",
    },
  }),
  manager: install.choice({
    flag: "manager",
    help: {
      en: "For `install --print`: show what would be done under another service manager",
      zh: "用于 `install --print`：显示在另一种服务管理器下会做什么",
    },
    initial: undefined,
    initialText: { en: "this machine's", zh: "本机的" },
    allowed: ["systemd", "openrc", "launchd"],
  }),
  asRoot: install.optionalToggle({
    flag: "as-root",
    help: {
      en: "Run the service as root; needed to administer the machine by remote control",
      zh: "让服务以 root 运行；用远程控制管理整台机器时需要",
    },
  }),
  replace: install.toggle({
    flag: "replace",
    help: { en: "For `install`: replace the official agent", zh: "用于 `install`：替换官方 Agent" },
  }),
  restore: install.toggle({
    flag: "restore",
    commands: ["uninstall"],
    help: {
      en: "For `uninstall`: restore the official agent that was replaced",
      zh: "用于 `uninstall`：恢复被替换的官方 Agent",
    },
  }),
  keepFailing: install.toggle({
    flag: "keep-failing",
    help: {
      en: "For `install`: keep a panel that accepts no report beside one that does",
      zh: "用于 `install`：有面板接受上报时，也保留不接受上报的面板",
    },
  }),
  unset: install.checked<readonly string[]>({
    flag: "unset",
    placeholder: "NAME",
    help: {
      en: "For `install`: return an option or a saved proxy to its default, by the name of " +
        "its flag or of its variable; may be repeated",
      zh: "用于 `install`：把一个选项或已保存的代理恢复为默认，写它的选项、环境变量或键；可重复",
    },
    separator: ",",
    repeats: true,
    initial: [],
    initialText: { en: "none", zh: "无" },
    parse: parseUnset,
  }),
  keepState: install.toggle({
    flag: "keep-state",
    commands: ["uninstall"],
    help: {
      en:
        "For `uninstall`: keep the monthly traffic and the registration for the next installation",
      zh: "用于 `uninstall`：保留月流量和注册结果，供下次安装使用",
    },
  }),
  installDir: install.text({
    flag: "install-dir",
    placeholder: "FOLDER",
    help: { en: "Folder of the program", zh: "程序所在的目录" },
    initialText: {
      en: "/opt/komari-agent-deno, without root ~/.local/share/komari-agent-deno",
      zh: "/opt/komari-agent-deno；没有 root 权限时为 ~/.local/share/komari-agent-deno",
    },
    parse: parseInstallFolder,
  }),
  serviceName: install.checked({
    flag: "install-service-name",
    placeholder: "NAME",
    commands: "service",
    help: { en: "Name of the service", zh: "服务的名称" },
    initial: PROGRAM,
    parse: parseServiceName,
  }),
  autoUpdate: updates.toggleOff({
    flag: "disable-auto-update",
    commands: ["report", "install"],
    tags: ["official"],
    help: {
      en: "Don't install new versions automatically; an agent from a .deb or .rpm never does, " +
        "its package manager does",
      zh: "不自动更新；用 .deb 或 .rpm 安装的 Agent 从不自动更新，由软件包管理器更新",
    },
  }),
  pin: updates.toggle({
    flag: "pin",
    commands: ["report", "install"],
    help: {
      en: "Stay at the version that is installed: no updates, neither automatic nor by hand",
      zh: "固定在所安装的版本：既不自动更新，也不手动更新",
    },
  }),
  updateUrl: updates.text({
    flag: "update-url",
    placeholder: "URL",
    tags: ["root", "release"],
    help: {
      en: "URL that describes the newest release, in the format of GitHub's API",
      zh: "从哪里获取最新版本的信息，格式与 GitHub 的 API 相同",
    },
    initialText: { en: "the project's releases", zh: "本项目的发布页" },
    parse: parseEndpoint,
  }),
  updateKey: updates.text({
    flag: "update-key",
    placeholder: "KEY",
    tags: ["root", "release"],
    help: {
      en: "Public key that the releases of --update-url are signed with",
      zh: "--update-url 的发布所用签名的公钥",
    },
    initialText: { en: "the project's", zh: "本项目的公钥" },
    parse: parsePublicKey,
  }),
  mirror: updates.text({
    flag: "mirror",
    placeholder: "PREFIX",
    tags: ["root", "release"],
    help: {
      en: "Put before every address of GitHub, such as https://mirror.example.com",
      zh: "加在每个 GitHub 地址之前，如 https://mirror.example.com",
    },
    initialText: { en: "none", zh: "无" },
    parse: parseEndpoint,
  }),
  installVersion: updateFlags.text({
    flag: "install-version",
    placeholder: "VERSION",
    help: {
      en: "For `update`: this version in place of the newest, even an older one",
      zh: "用于 `update`：指定这个版本，而不是最新版，也可以是更旧的版本",
    },
    initialText: { en: "the newest", zh: "最新版" },
    parse: parseVersion,
  }),
  check: updateFlags.toggle({
    flag: "check",
    help: {
      en: "For `update`: say whether there is a newer version, and change nothing",
      zh: "用于 `update`：只看有没有新版本，不做任何改动",
    },
  }),
  now: updateFlags.toggle({
    flag: "now",
    help: {
      en: "For `update`: install a newer version now",
      zh: "用于 `update`：有新版本就立即更新",
    },
  }),
  port: demo.number({
    flag: "port",
    placeholder: "PORT",
    help: {
      en: "Port of the demo's panel; the next free port if it is in use",
      zh: "演示面板的端口；被占用时用下一个空闲端口",
    },
    initial: 25774,
    min: 1,
    max: 65535,
    whole: true,
  }),
  fault: demo.text({
    flag: "fault",
    placeholder: "NAME",
    help: {
      en: "Fault of the demo's panel; `demo --fault help` lists all",
      zh: "演示面板的故障；`demo --fault help` 列出所有故障",
    },
    initialText: { en: "none", zh: "无" },
  }),
  maxRetries: official.number({
    flag: "max-retries",
    short: "r",
    help: { en: "Attempts before falling back", zh: "回退之前的重试次数" },
    noEffect: {
      en: "this agent never gives up on the panel, so it counts no attempts",
      zh: "本 Agent 从不放弃连接，因此不计次数",
    },
    initial: 3,
    min: 0,
    max: 1_000_000,
    whole: true,
  }),
  officialAutoUpdate: officialFlags.toggle({
    flag: "autoUpdate",
    help: { en: "Of old versions", zh: "属于旧版本" },
    noEffect: { en: "it does nothing in this agent", zh: "在本 Agent 中不起作用" },
  }),
  memoryModeAvailable: official.toggle({
    flag: "memory-mode-available",
    help: { en: "Of old versions", zh: "属于旧版本" },
    noEffect: {
      en: "it does nothing in this agent; use --memory-mode available",
      zh: "在本 Agent 中不起作用；请用 --memory-mode available",
    },
  }),
  showWarning: officialFlags.toggle({
    flag: "show-warning",
    help: { en: "Of the Windows version", zh: "属于 Windows 版本" },
    noEffect: { en: "it does nothing in this agent", zh: "在本 Agent 中不起作用" },
  }),
  warningPanelHost: officialFlags.text({
    flag: "warning-panel-host",
    help: { en: "Hidden, of the Windows version", zh: "隐藏的选项，属于 Windows 版本" },
    noEffect: { en: "this agent shows no warning", zh: "本 Agent 不显示警告" },
  }),
  warningRunAsUser: officialFlags.text({
    flag: "warning-run-as-user",
    help: { en: "Hidden, of the Windows version", zh: "隐藏的选项，属于 Windows 版本" },
    noEffect: { en: "this agent shows no warning", zh: "本 Agent 不显示警告" },
  }),
  warningElevated: officialFlags.toggle({
    flag: "warning-elevated",
    help: { en: "Hidden, of the Windows version", zh: "隐藏的选项，属于 Windows 版本" },
    noEffect: { en: "this agent shows no warning", zh: "本 Agent 不显示警告" },
  }),
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
): { title: Translation; rows: readonly Option<unknown>[] }[] {
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
