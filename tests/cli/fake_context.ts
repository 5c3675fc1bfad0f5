import { runAgent } from "../../lib/agent/run_agent.ts";
import type { CommandContext } from "../../lib/cli/command.ts";
import { type Config, resolveConfig } from "../../lib/config/config.ts";

/** The configuration of a command line. */
export function configOf(args: readonly string[], env: Record<string, string> = {}): Config {
  return resolveConfig({
    args,
    env,
    readText: (path) => Deno.readTextFileSync(path),
    readMode: () => 0o600,
  });
}

/** The context of a command, which keeps what is printed. */
export class FakeContext implements CommandContext {
  readonly signal = new AbortController().signal;
  readonly secrets: string[] = [];
  readonly env: Readonly<Record<string, string>>;
  /** What went to standard output. */
  printed = "";

  constructor(env: Record<string, string> = {}) {
    this.env = env;
  }

  /** Other tests run in this process. */
  readonly runAgent = runAgent;
  readonly giveUpRoot = (): void => {};
  readonly inLanguage = (english: string): string => english;
  readonly print = (text: string): void => void (this.printed += text);
  readonly printError = (_line: string): void => {};

  resolveWith(): Config {
    throw new Error("No official agent is replaced here");
  }

  resolveIn(): Config {
    throw new Error("No service has variables of its own here");
  }
}
