import { quoteShellWord } from "../parse/shell_words.ts";

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
  /** @throws The signal's reason when it aborts; nothing else. */
  run(command: ToolCommand, options: { signal: AbortSignal }): Promise<ToolResult>;
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
const MAX_OUTPUT = 64 * 1024;
/** A service that it started may keep its streams open. */
const TAIL_MS = 200;

/** Runs system programs for `install` and `update`. */
export class ToolRunner implements Tools {
  readonly #env: Record<string, string>;
  readonly #timeoutMs: number;
  readonly #graceMs: number;

  /**
   * `env` is the programs' whole environment; its `PATH` finds them. After `timeoutMs` they get
   * SIGTERM, and `graceMs` later SIGKILL.
   */
  constructor(
    options: { env: Readonly<Record<string, string>>; timeoutMs?: number; graceMs?: number },
  ) {
    // Output is shown and parsed, so it must not depend on the language.
    this.#env = { ...options.env, LC_ALL: "C" };
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#graceMs = options.graceMs ?? GRACE_MS;
  }

  /** Whether the program exists. */
  has(tool: string): boolean {
    return this.#find(tool) !== undefined;
  }

  /** @throws The signal's reason when it aborts; the program is killed then. */
  async run(command: ToolCommand, { signal }: { signal: AbortSignal }): Promise<ToolResult> {
    const path = this.#find(command.tool);
    if (path === undefined) return { code: 127, output: `${command.tool} does not exist` };
    const ended = AbortSignal.any([signal, AbortSignal.timeout(this.#timeoutMs)]);
    signal.throwIfAborted();
    const process = new Deno.Command(path, {
      args: [...command.args],
      env: this.#env,
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: ended,
    }).spawn();
    const streams = [new BoundedText(process.stdout), new BoundedText(process.stderr)];
    const read = Promise.all(streams.map((stream) => stream.ended));
    const { code } = await this.#statusOf(process, ended);
    await waitAtMost(TAIL_MS, read);
    await Promise.all(streams.map((stream) => stream.stop()));
    signal.throwIfAborted();
    const late = ended.aborted ? `it did not end within ${this.#timeoutMs / 1000} s` : "";
    return {
      code: ended.aborted ? 124 : code,
      output: streams.map(({ text }) => text).join("") + late,
    };
  }

  /** The runtime sends SIGTERM only. */
  async #statusOf(process: Deno.ChildProcess, ended: AbortSignal): Promise<Deno.CommandStatus> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const force = () => timer = setTimeout(() => process.kill("SIGKILL"), this.#graceMs);
    ended.addEventListener("abort", force, { once: true });
    try {
      return await process.status;
    } finally {
      ended.removeEventListener("abort", force);
      clearTimeout(timer);
    }
  }

  #find(tool: string): string | undefined {
    const { PATH = "" } = this.#env;
    const paths = tool.includes("/") ? [tool] : PATH.split(":").map((it) => `${it}/${tool}`);
    return paths.find(isProgram);
  }
}

function isProgram(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch {
    return false;
  }
}

/** The beginning of a stream's text. */
class BoundedText {
  text = "";
  /** Settles at the end of the stream. */
  readonly ended: Promise<void>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
    this.ended = this.#read();
  }

  async stop(): Promise<void> {
    await this.#reader.cancel();
    await this.ended;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for (;;) {
      const { value, done } = await this.#reader.read();
      if (done) return;
      const room = MAX_OUTPUT - this.text.length;
      if (room > 0) this.text += decoder.decode(value, { stream: true }).slice(0, room);
    }
  }
}

/** Waits for a promise, but no longer than this. */
async function waitAtMost(ms: number, something: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([something, late]);
  clearTimeout(timer);
}
