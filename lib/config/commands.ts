import type { Translation } from "./language.ts";

/** A command of the program, as the help shows it. */
export interface CommandRow {
  /** Text after the program's name on the command line. */
  readonly usage: string;
  readonly help: Translation;
  /** A longer explanation for the help of the command itself. */
  readonly details?: Translation;
  /** The options that it takes, beside those that name it in their row. */
  readonly takes?: readonly OptionSet[];
  /** What it reads beside the command line, the variables of options and a file that is named. */
  readonly reads?: readonly Reading[];
}

/** Options that several commands take. */
export type OptionSet =
  | "agent"
  | "measured"
  | "month"
  | "updates"
  | "service"
  | "config"
  | "json"
  | "log";

/**
 * The configuration of the installed service, the record of the installation, and the proxies of the
 * environment.
 */
export type Reading = "installed" | "record" | "proxies";

/** The options of a running agent. */
const AGENT = ["agent", "measured", "month", "updates", "config"] as const;

/** Every command of the program, in the order of the help. Without any, the program reports. */
export const COMMANDS = {
  "report": {
    usage: "-e URL -t TOKEN [options]",
    takes: [...AGENT, "json", "log"],
    reads: ["installed", "proxies"],
    help: { en: "report to a panel", zh: "向面板上报" },
    details: {
      en: "This is what the program does without a command. With --dry-run it measures twice, " +
        "shows what would be sent and where each value comes from, and exits; that needs no panel.",
      zh: "不写命令时就是上报。加上 --dry-run 则采集两次，显示会发送什么、每个数值来自哪里，" +
        "然后退出；不需要面板。",
    },
  },
  "demo": {
    usage: "demo [options]",
    takes: ["measured", "month", "config", "log"],
    help: { en: "try it without a panel", zh: "不需要面板，先试用" },
    details: {
      en: "Starts a small panel on this machine, reports to it, and shows a page with all values.",
      zh: "在本机启动一个小面板并向它上报，用网页显示所有数值。",
    },
  },
  "traffic show": {
    usage: "traffic show [--json]",
    takes: ["month", "service", "config", "json"],
    reads: ["installed"],
    help: { en: "show the month's traffic", zh: "显示月流量" },
  },
  "traffic set": {
    usage: "traffic set --up N --down N",
    takes: ["month", "service", "config", "json"],
    reads: ["installed"],
    help: { en: "set the month's traffic", zh: "设置月流量" },
    details: {
      en: "Sets the totals of the current month. A running agent takes them over with its next " +
        "report.",
      zh: "设置本周期的总量。运行中的 Agent 在下一次上报时采用。",
    },
  },
  "install": {
    usage: "install [options] [--print]",
    takes: [...AGENT, "service", "log"],
    reads: ["installed", "record", "proxies"],
    help: { en: "run it as a service, with these options", zh: "以这些选项安装为服务" },
    details: {
      en: "Installs the program as a service of systemd, OpenRC or launchd. The options are " +
        "written into the configuration of the service.",
      zh: "安装为 systemd、OpenRC 或 launchd 的服务。这里给出的选项会写进服务的配置文件。",
    },
  },
  "uninstall": {
    usage: "uninstall [--print]",
    takes: ["service", "config"],
    help: { en: "remove the service and all its files", zh: "删除服务及其全部文件" },
  },
  "status": {
    usage: "status [--json]",
    takes: ["service", "config", "json"],
    reads: ["installed"],
    help: { en: "show what the running agent does", zh: "显示运行中的 Agent 的状态" },
    details: {
      en: "Shows version, panel, transport, the last report, failures, probes, memory, seal and " +
        "service. The exit code is 0 if the panel accepts its reports.",
      zh:
        "显示版本、面板、传输方式、上次上报、失败、探测、内存、封闭和服务。面板接受上报时退出码为 0。",
    },
  },
  "doctor": {
    usage: "doctor [options] [--json]",
    takes: [...AGENT, "service", "json"],
    reads: ["installed", "proxies"],
    help: { en: "find out what is wrong", zh: "检查出了什么问题" },
    details: {
      en:
        "Checks the configuration, the connection to the panel and this machine, and gives advice. " +
        "Without -e or --config it checks the installed service. The panel is only read: the node " +
        "does not appear online, and a running agent is not disturbed. The exit code is 1 if a " +
        "check fails.",
      zh: "检查配置、到面板的连接和本机，并给出处理建议。不写 -e 或 --config 时检查已安装的服务。" +
        "对面板只读取：节点不会因此显示为在线，也不影响正在运行的 Agent。有检查失败时退出码为 1。",
    },
  },
  "config show": {
    usage: "config show [options] [--json]",
    takes: [...AGENT, "service", "json"],
    reads: ["installed"],
    help: { en: "check and show the configuration", zh: "检查并显示配置" },
    details: {
      en:
        "Shows every option in force and where its value comes from; secrets are hidden. Without " +
        "--config it reads the configuration of the installed service. A mistake ends it with " +
        "exit code 2.",
      zh: "显示生效的每个选项及其来源；密钥不会显示。不写 --config 时读取已安装服务的配置。" +
        "配置有误时以退出码 2 结束。",
    },
  },
  "health": {
    usage: "health [--alive] [--json]",
    takes: ["service", "config", "json"],
    reads: ["installed"],
    help: { en: "say whether the panel accepts its reports", zh: "检查面板是否接受上报" },
    details: {
      en: "For supervisors and container health checks: the exit code is 0 if the panel has " +
        "accepted a report within two intervals and 15 s, else 1. --alive asks only whether the " +
        "agent runs, as is right for a supervisor that restarts what is not alive: an outage of the " +
        "panel is no reason to.",
      zh:
        "供监控程序和容器健康检查使用：面板在两个间隔加 15 秒内接受过上报时退出码为 0，否则为 1。" +
        "--alive 只检查 Agent 是否在运行，供会重启失败程序的监控使用：面板中断不是重启的理由。",
    },
  },
  "update": {
    usage: "update [--check|--now]",
    takes: ["updates", "service", "config", "json", "log"],
    reads: ["record", "proxies"],
    help: { en: "look for a newer version, or install it", zh: "查看或安装新版本" },
    details: {
      en: "A new version that does not report within a minute is rolled back.",
      zh: "新版本如果一分钟内没有成功上报，会自动回退。",
    },
  },
  "version": {
    usage: "version [--json]",
    takes: ["json"],
    help: { en: "show the version", zh: "显示版本" },
  },
  "licenses": {
    usage: "licenses",
    help: { en: "show the licenses of all that it contains", zh: "显示所含软件的许可证" },
  },
  "help": {
    usage: "help [COMMAND]",
    help: { en: "show the help of a command", zh: "显示某个命令的帮助" },
  },
  "completions bash": {
    usage: "completions bash",
    help: { en: "print the completions for bash", zh: "输出 bash 的补全脚本" },
    details: {
      en: "Put them into ~/.local/share/bash-completion/completions/komari-agent-deno.",
      zh: "保存到 ~/.local/share/bash-completion/completions/komari-agent-deno 即可。",
    },
  },
  "completions zsh": {
    usage: "completions zsh",
    help: { en: "print the completions for zsh", zh: "输出 zsh 的补全脚本" },
    details: {
      en: "Put them into a file _komari-agent-deno in a folder of $fpath.",
      zh: "保存到 $fpath 中某个目录下的 _komari-agent-deno 文件即可。",
    },
  },
  "completions fish": {
    usage: "completions fish",
    help: { en: "print the completions for fish", zh: "输出 fish 的补全脚本" },
    details: {
      en: "Put them into ~/.config/fish/completions/komari-agent-deno.fish.",
      zh: "保存到 ~/.config/fish/completions/komari-agent-deno.fish 即可。",
    },
  },
  "man": {
    usage: "man",
    help: { en: "print the manual page", zh: "输出手册页" },
    details: {
      en: "Read it with: komari-agent-deno man | man -l -",
      zh: "查看方法：komari-agent-deno man | man -l -",
    },
  },
} as const satisfies Readonly<Record<string, CommandRow>>;

/** A command of the program. */
export type Command = keyof typeof COMMANDS;

/** The rows of the table with their names. */
export const COMMAND_ROWS: readonly (readonly [name: string, row: CommandRow])[] = Object.entries(
  COMMANDS,
);

/** The commands that take a set of options. */
export function commandsThatTake(set: OptionSet): readonly Command[] {
  return COMMAND_ROWS.filter(([, { takes }]) => takes?.includes(set)).map(([name]) => name)
    .filter(isCommand);
}

/** Whether a command reads something beside the command line. */
export function reads(name: Command, reading: Reading): boolean {
  const row: CommandRow = COMMANDS[name];
  return row.reads?.includes(reading) ?? false;
}

/** Whether a text is the name of a command. */
export function isCommand(text: string): text is Command {
  return Object.hasOwn(COMMANDS, text);
}

/** Whether a text is the first word of commands of two words, such as `traffic`. */
export function isGroup(text: string): boolean {
  return COMMAND_ROWS.some(([name]) => name.startsWith(`${text} `));
}
