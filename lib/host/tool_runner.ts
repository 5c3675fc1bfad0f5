import { attempt } from "../attempt.ts";
import { quoteShellWord } from "../parse/shell_words.ts";
import { settlesWithin } from "../async/timeout.ts";
import { BoundedBytes } from "../io/bounded_bytes.ts";
import { isProgram } from "./local_host.ts";
import { OutputReader } from "./output_reader.ts";

/** Folders of system programs, which the `PATH` of a user or a service may lack. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A system program with its arguments. */
export interface ToolCommand {
  readonly tool: string;
  readonly args: readonly string[];
  /** Whether a failure is ignored, such as of undoing what is already gone. */
  readonly mayFail?: boolean;
}

/** The result of a program. */
export interface ToolResult {
  /** Exit code; 127 when there is no such program, 124 after a time-out. */
  readonly code: number;
  /** Standard output and standard error, of bounded length. */
  readonly output: string;
}

/** Runs system programs. */
export interface Tools {
  /**
   * Runs a program, which is ended after `timeoutMs`, or after two minutes.
   *
   * @throws The signal's reason when it aborts; nothing else.
   */
  run(
    command: ToolCommand,
    options: { signal: AbortSignal; timeoutMs?: number },
  ): Promise<ToolResult>;
}

/**
 * Runs programs in order.
 *
 * @throws {Error} When one fails that must not (`Cannot run …`), with the end of its output.
 */
export async function runTools(
  commands: readonly ToolCommand[],
  { tools, signal }: { tools: Tools; signal: AbortSignal },
): Promise<void> {
  for (const command of commands) {
    const { code, output } = await tools.run(command, { signal });
    if (code === 0 || command.mayFail) continue;
    const why = output.trim().split("\n").slice(-3).join("; ") || `it ended with code ${code}`;
    throw new Error(`Cannot run "${toolLine(command)}": ${why}`);
  }
}

/** Formats a command as it would be typed. */
export function toolLine({ tool, args }: ToolCommand): string {
  return [tool, ...args].map((word) => /^[\w@%+=:,./-]+$/.test(word) ? word : quoteShellWord(word))
    .join(" ");
}

/** A user's `PATH`, followed by the folders of system programs. */
export function toolPath(path = ""): string {
  return path === "" ? SYSTEM_PATH : `${path}:${SYSTEM_PATH}`;
}

/** Longer than the 90 s that a service manager waits for a service to stop. */
const TIMEOUT_MS = 120_000;
/** Time to clean up between SIGTERM and SIGKILL. */
const GRACE_MS = 5_000;
/** Of each of both streams. */
const MAX_OUTPUT_BYTES = 64 * 1024;
/** A service that it started may keep its streams open. */
const TAIL_MS = 200;

/** Runs system programs for `install` and `update`. */
export class ToolRunner implements Tools {
  readonly #env: Record<string, string>;

  /** @param env The programs' whole environment; its `PATH` finds them. */
  constructor(env: Readonly<Record<string, string>>) {
    // Output is shown and parsed, so it must not depend on the language.
    this.#env = { ...env, LC_ALL: "C" };
  }

  /** Whether the program exists. */
  has(tool: string): boolean {
    return this.#find(tool) !== undefined;
  }

  /** @throws The signal's reason when it aborts; the program is killed then. */
  async run(
    command: ToolCommand,
    { signal, timeoutMs = TIMEOUT_MS }: { signal: AbortSignal; timeoutMs?: number },
  ): Promise<ToolResult> {
    const path = this.#find(command.tool);
    if (path === undefined) return { code: 127, output: `${command.tool} does not exist` };
    signal.throwIfAborted();
    const process = new Deno.Command(path, {
      args: [...command.args],
      env: this.#env,
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const readers = [process.stdout, process.stderr].map((it) =>
      new OutputReader(it, new BoundedBytes(MAX_OUTPUT_BYTES))
    );
    const hasEnded = await settlesWithin(process.status, timeoutMs, { signal });
    if (!hasEnded) {
      kill(process, "SIGTERM");
      if (!await settlesWithin(process.status, GRACE_MS)) kill(process, "SIGKILL");
    }
    const { code } = await process.status;
    await settlesWithin(Promise.all(readers.map((reader) => reader.ended)), TAIL_MS);
    await Promise.all(readers.map((reader) => reader.cancel()));
    signal.throwIfAborted();
    const output = readers.map((reader) => new TextDecoder().decode(reader.output.bytes)).join("");
    if (hasEnded) return { code, output };
    return { code: 124, output: `${output}it did not end within ${timeoutMs / 1000} s` };
  }

  #find(tool: string): string | undefined {
    const { PATH = "" } = this.#env;
    const paths = tool.includes("/") ? [tool] : PATH.split(":").map((it) => `${it}/${tool}`);
    return paths.find(isProgram);
  }
}

/** Sends a signal to a process, if it still runs. */
function kill(process: Deno.ChildProcess, signal: Deno.Signal): void {
  // It has ended in the meantime, or has become another user's.
  attempt(() => process.kill(signal));
}
