/** A command of the program; the help has words for each. */
interface CommandRow {
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
  "report": { takes: [...AGENT, "json", "log"], reads: ["installed", "proxies"] },
  "demo": { takes: ["measured", "month", "config", "log"] },
  "install": { takes: [...AGENT, "service", "log"], reads: ["installed", "record", "proxies"] },
  "uninstall": { takes: ["service", "config"] },
  "update": {
    takes: ["updates", "service", "config", "json", "log"],
    reads: ["record", "proxies"],
  },
  "status": { takes: ["service", "config", "json"], reads: ["installed"] },
  "doctor": { takes: [...AGENT, "service", "json"], reads: ["installed", "proxies"] },
  "config show": { takes: [...AGENT, "service", "json"], reads: ["installed"] },
  "traffic show": { takes: ["month", "service", "config", "json"], reads: ["installed"] },
  "traffic set": { takes: ["month", "service", "config", "json"], reads: ["installed"] },
  "health": { takes: ["service", "config", "json"], reads: ["installed"] },
  "version": { takes: ["json"] },
  "licenses": {},
  "help": {},
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
