import { UsageError } from "./usage_error.ts";
import type { Command } from "./args.ts";
import type { Find } from "./found.ts";
import type { Option } from "./option.ts";
import { OPTIONS } from "./options.ts";

/** Options that are about some commands only, and what those are called. */
const ABOUT: readonly {
  readonly commands: readonly Command[];
  readonly options: readonly Option<unknown>[];
  readonly subject: string;
}[] = [
  {
    commands: ["demo"],
    options: [OPTIONS.fault, OPTIONS.port],
    subject: 'the stand-in panel of the command "demo"',
  },
  {
    commands: ["traffic set"],
    options: [OPTIONS.up, OPTIONS.down],
    subject: 'the command "traffic set"',
  },
  {
    commands: ["update"],
    options: [OPTIONS.check, OPTIONS.now],
    subject: 'the command "update"',
  },
  {
    commands: ["install"],
    options: [OPTIONS.asRoot, OPTIONS.replace, OPTIONS.installDir],
    subject: 'the command "install"',
  },
  {
    commands: ["uninstall"],
    options: [OPTIONS.restore],
    subject: 'the command "uninstall"',
  },
  {
    commands: ["install", "uninstall"],
    options: [OPTIONS.print],
    subject: 'the commands "install" and "uninstall"',
  },
  {
    commands: ["install", "uninstall", "update", "health", "traffic show", "traffic set"],
    options: [OPTIONS.installServiceName],
    subject: "an installed service",
  },
];

/**
 * Refuses options that are about another command, where they would do nothing.
 *
 * @throws {UsageError} One line that names the option and what it is about.
 */
export function refuseOptionsOfOthers(find: Find, command: Command): void {
  for (const { commands, options, subject } of ABOUT) {
    if (commands.includes(command)) continue;
    for (const option of options) {
      const found = find(option);
      if (found !== undefined) {
        throw new UsageError(`Cannot use ${found.origin} here: it is about ${subject}`);
      }
    }
  }
}
