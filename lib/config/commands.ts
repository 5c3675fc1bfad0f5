/** A command of the program, as the help shows it. */
export interface CommandRow {
  /** Text after the program's name on the command line. */
  readonly usage: string;
  readonly help: string;
  /** A longer explanation for the help of the command itself. */
  readonly details?: string;
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
    help: "report to a panel",
    details:
      "This is what the program does without a command. With --dry-run it measures twice, shows what would be sent and where each value comes from, and exits; that needs no panel.",
  },
  "demo": {
    usage: "demo [options]",
    takes: ["measured", "month", "config", "log"],
    help: "try it without a panel",
    details:
      "Starts a small panel on this machine, reports to it, and shows a page with all values.",
  },
  "traffic show": {
    usage: "traffic show [--json]",
    takes: ["month", "service", "config", "json"],
    reads: ["installed"],
    help: "show the month's traffic",
  },
  "traffic set": {
    usage: "traffic set --up N --down N",
    takes: ["month", "service", "config", "json"],
    reads: ["installed"],
    help: "set the month's traffic",
    details:
      "Sets the totals of the current month. A running agent takes them over with its next report.",
  },
  "install": {
    usage: "install [options] [--print]",
    takes: [...AGENT, "service", "log"],
    reads: ["installed", "record", "proxies"],
    help: "run it as a service, with these options",
    details:
      "Installs the program as a service of systemd or OpenRC. The options are written into the configuration of the service.",
  },
  "uninstall": {
    usage: "uninstall [--print]",
    takes: ["service", "config"],
    help: "remove the service and all its files",
  },
  "status": {
    usage: "status [--json]",
    takes: ["service", "config", "json"],
    reads: ["installed"],
    help: "show what the running agent does",
    details:
      "Shows version, panel, transport, the last report, failures, probes, memory, seal and service. The exit code is 0 if the panel accepts its reports.",
  },
  "doctor": {
    usage: "doctor [options] [--json]",
    takes: [...AGENT, "service", "json"],
    reads: ["installed", "proxies"],
    help: "find out what is wrong",
    details:
      "Checks the configuration, the connection to the panel and this machine, and gives advice. Without -e or --config it checks the installed service. The panel is only read: the node does not appear online, and a running agent is not disturbed. The exit code is 1 if a check fails.",
  },
  "config show": {
    usage: "config show [options] [--json]",
    takes: [...AGENT, "service", "json"],
    reads: ["installed"],
    help: "check and show the configuration",
    details:
      "Shows every option in force and where its value comes from; secrets are hidden. Without --config it reads the configuration of the installed service. A mistake ends it with exit code 2.",
  },
  "health": {
    usage: "health [--alive] [--json]",
    takes: ["service", "config", "json"],
    reads: ["installed"],
    help: "say whether the panel accepts its reports",
    details:
      "For supervisors and container health checks: the exit code is 0 if the panel has accepted a report within two intervals and 15 s, else 1. --alive asks only whether the agent runs, as is right for a supervisor that restarts what is not alive: an outage of the panel is no reason to.",
  },
  "update": {
    usage: "update [--check|--now]",
    takes: ["updates", "service", "config", "json", "log"],
    reads: ["record", "proxies"],
    help: "look for a newer version, or install it",
    details: "A new version that does not report within a minute is rolled back.",
  },
  "version": {
    usage: "version [--json]",
    takes: ["json"],
    help: "show the version",
  },
  "licenses": {
    usage: "licenses",
    help: "show the licenses of all that it contains",
  },
  "help": {
    usage: "help [COMMAND]",
    help: "show the help of a command",
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
