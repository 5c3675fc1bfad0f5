/** A command of the program, as the help shows it. */
export interface CommandRow {
  /** Its section of the help. */
  readonly group: keyof typeof COMMAND_GROUPS;
  /** Text after its name on the command line, if not any options. */
  readonly args?: string;
  readonly help: string;
  /** A longer explanation for the help of the command itself. */
  readonly details?: string;
  /** What somebody would type after the program's name. */
  readonly example?: string;
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

/** The sections of the help. */
export const COMMAND_GROUPS = { run: "Run", look: "Look", more: "More" } as const;

/** Every command of the program, in the order of the help. Without any, the program reports. */
export const COMMANDS = {
  "report": {
    group: "run",
    args: "-e URL -t TOKEN [OPTIONS]",
    takes: [...AGENT, "json", "log"],
    reads: ["installed", "proxies"],
    help: "report to a panel; this is the default command",
    details:
      "With --dry-run it measures twice, shows what it would send and where each value comes from, and exits; this needs no panel.",
    example: "-e https://panel.example.com --token-file FILE --gpu",
  },
  "demo": {
    group: "run",
    takes: ["measured", "month", "config", "log"],
    help: "try it without a panel",
    details: "Starts a small panel on this machine, reports to it, and shows all values on a page.",
    example: "demo --port 8080",
  },
  "install": {
    group: "run",
    args: "-e URL -t TOKEN [OPTIONS]",
    takes: [...AGENT, "service", "log"],
    reads: ["installed", "record", "proxies"],
    help: "run it as a service of systemd or OpenRC",
    details:
      "Writes the options into the service's configuration. Run it again to change options or the version.",
    example: "install -e https://panel.example.com -t TOKEN --gpu",
  },
  "uninstall": {
    group: "run",
    takes: ["service", "config"],
    help: "remove the service and all its files",
    example: "uninstall --keep-state",
  },
  "update": {
    group: "run",
    args: "[--check|--now]",
    takes: ["updates", "service", "config", "json", "log"],
    reads: ["record", "proxies"],
    help: "look for a newer version, or install it",
    details: "A new version that does not report within a minute is rolled back.",
    example: "update --now",
  },
  "status": {
    group: "look",
    takes: ["service", "config", "json"],
    reads: ["installed"],
    help: "show whether the agent reports, and what it does",
    details:
      "Shows version, panel, transport, the last report, failures, probes, memory, seal and service. The exit code is 0 if the panel accepts its reports, else 1.",
    example: "status --json",
  },
  "doctor": {
    group: "look",
    takes: [...AGENT, "service", "json"],
    reads: ["installed", "proxies"],
    help: "find out what is wrong, and what to do",
    details:
      "Checks the configuration, the connection to the panel and this machine. Without -e or --config it checks the installed service. It only reads from the panel: the node does not appear online, and a running agent is not disturbed. The exit code is 1 if a check fails.",
    example: "doctor -e https://panel.example.com --token-file FILE",
  },
  "config show": {
    group: "look",
    takes: [...AGENT, "service", "json"],
    reads: ["installed"],
    help: "check and show the configuration",
    details:
      "Shows every option in force and where its value comes from, without secrets. Without --config it reads the configuration of the installed service. The exit code is 2 if there is a mistake.",
    example: "config show --config config.json",
  },
  "traffic show": {
    group: "look",
    takes: ["month", "service", "config", "json"],
    reads: ["installed"],
    help: "show the month's traffic",
  },
  "traffic set": {
    group: "look",
    args: "--up BYTES --down BYTES",
    takes: ["month", "service", "config", "json"],
    reads: ["installed"],
    help: "set the month's traffic",
    details: "A running agent uses the new totals from its next report on.",
    example: "traffic set --up 12.5GiB --down 300GB",
  },
  "health": {
    group: "more",
    args: "[--alive] [--json]",
    takes: ["service", "config", "json"],
    reads: ["installed"],
    help: "check for supervisors and containers",
    details:
      "The exit code is 0 if the panel has accepted a report within two intervals and 15 s, else 1. A supervisor that restarts the agent should use --alive, which only checks whether it runs: a restart does not help while the panel is down.",
    example: "health --alive",
  },
  "version": { group: "more", takes: ["json"], help: "show the version" },
  "licenses": { group: "more", help: "show the licenses of the program and its parts" },
  "help": { group: "more", args: "[COMMAND]", help: "show the help of a command" },
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
