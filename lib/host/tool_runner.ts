import { quoteShellWord } from "../parse/shell_words.ts";

/** The folders of the system's own programs, which a user's or a service's `PATH` may leave out. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A program of the system's that is to be run, with its words. */
export interface ToolCommand {
  readonly tool: string;
  readonly args: readonly string[];
  /** Whether nothing is wrong when it fails: what it was to undo may be gone already. */
  readonly mayFail?: boolean;
}

/** How a program ended. */
export interface ToolResult {
  /** 0 when all went well; 127 when there is no such program. */
  readonly code: number;
  /** What it wrote, both streams, cut to a bounded length. */
  readonly output: string;
}

/** Runs programs of the system's. */
export interface Tools {
  /** Never throws but when `signal` aborts. */
  run(command: ToolCommand, options: { signal: AbortSignal }): Promise<ToolResult>;
}

/**
 * Runs programs one after the other.
 *
 * @throws {Error} When one fails that may not (`Cannot run …`), with the last that it wrote.
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

/** A command as it would be typed. */
export function toolLine({ tool, args }: ToolCommand): string {
  return [tool, ...args].map((word) => /^[\w@%+=:,./-]+$/.test(word) ? word : quoteShellWord(word))
    .join(" ");
}

/** A user's `PATH` and then the folders of the system's own programs, which it may leave out. */
export function toolPath(path = ""): string {
  return path === "" ? SYSTEM_PATH : `${path}:${SYSTEM_PATH}`;
}

/** A service manager waits 90 s for a service that does not stop. */
const LIMIT_MS = 120_000;
/** A script may have something to tidy up when it is asked to end. */
const GRACE_MS = 5_000;
const MAX_OUTPUT = 64 * 1024;
/** A service that was started may hold its starter's streams open for as long as it lives. */
const TAIL_MS = 200;

/** The one door through which installing and updating start programs of the system's. */
export class ToolRunner implements Tools {
  readonly #env: Record<string, string>;
  readonly #limitMs: number;
  readonly #graceMs: number;

  /**
   * `env` is all that the programs get; they are looked for on its `PATH`. What does not end in
   * time is asked to, and ended by force when it takes `graceMs` over that.
   */
  constructor(
    options: { env: Readonly<Record<string, string>>; limitMs?: number; graceMs?: number },
  ) {
    // Texts are shown to the user, and looked at: always the same ones.
    this.#env = { ...options.env, LC_ALL: "C" };
    this.#limitMs = options.limitMs ?? LIMIT_MS;
    this.#graceMs = options.graceMs ?? GRACE_MS;
  }

  /** Whether there is such a program. */
  has(tool: string): boolean {
    return this.#find(tool) !== undefined;
  }

  /** @throws The signal's reason when it aborts; the program is ended then. */
  async run(command: ToolCommand, { signal }: { signal: AbortSignal }): Promise<ToolResult> {
    const path = this.#find(command.tool);
    if (path === undefined) return { code: 127, output: `there is no ${command.tool}` };
    const ended = AbortSignal.any([signal, AbortSignal.timeout(this.#limitMs)]);
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
    await orAfter(TAIL_MS, read);
    await Promise.all(streams.map((stream) => stream.stop()));
    signal.throwIfAborted();
    const late = ended.aborted ? `it did not end within ${this.#limitMs / 1000} s` : "";
    return {
      code: ended.aborted ? 124 : code,
      output: streams.map(({ text }) => text).join("") + late,
    };
  }

  /** The runtime only asks it to end. */
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

/** What is read of a stream: no more than is ever looked at is kept. */
class BoundedText {
  text = "";
  /** Settles when there is no more to come. */
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

/** Waits for something, but no longer than this. */
async function orAfter(ms: number, something: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([something, late]);
  clearTimeout(timer);
}
