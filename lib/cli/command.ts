import type { runAgent } from "../agent/run_agent.ts";
import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import type { Platform } from "../metrics/open_machine.ts";
import type { ImportedSettings } from "../service/official_options.ts";

/** The environment of a command, beside its configuration. */
export interface CommandContext {
  /** Aborts when the program is asked to end. */
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string>>;
  /** Texts that are never logged; a command adds those that it learns. */
  readonly secrets: string[];
  /** The program's English in the user's language; what is printed need not be translated before. */
  inLanguage(english: string): string;
  /** Writes to standard output. */
  print(text: string): void;
  /** Writes a line to standard error. */
  printError(line: string): void;
  /** Runs an agent: commands that are packed apart from it have none of their own. */
  readonly runAgent: typeof runAgent;
  /** Gives up root for the rest of this process, as a sealed agent does. */
  giveUpRoot(): void;
  /** The same command line with the options of an official agent below it. */
  resolveWith(imported: Pick<ImportedSettings, "given">): Config;
  /** The same command line with these variables in place of this process's. */
  resolveIn(env: Readonly<Record<string, string>>): Config;
}

/** Runs a command; the result is the exit code. */
export type CommandFunction = (
  config: Config,
  context: CommandContext,
) => number | Promise<number>;

/** The system that this runs on. @throws {UsageError} When this version does not support it. */
export function supportedPlatform(): Platform {
  const { os, arch } = Deno.build;
  if (os === "linux" || os === "darwin") return { os, arch };
  throw new UsageError(`Cannot run on ${os}: this version supports Linux and macOS`);
}
