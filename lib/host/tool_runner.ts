import type { ToolCommand, ToolResult, Tools } from "../service/tool_command.ts";

/** A user's `PATH` and then the folders of the system's own programs, which it may leave out. */
export function toolPath(path = ""): string {
  const system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return path === "" ? system : `${path}:${system}`;
}

/** A service manager waits 90 s for a service that does not stop. */
const LIMIT_MS = 120_000;
const MAX_OUTPUT = 64 * 1024;

/** The one door through which installing and updating start programs of the system's. */
export class ToolRunner implements Tools {
  readonly #env: Record<string, string>;
  readonly #limitMs: number;

  /** `env` is all that the programs get; they are looked for on its `PATH`. */
  constructor(options: { env: Readonly<Record<string, string>>; limitMs?: number }) {
    // Texts are shown to the user, and looked at: always the same ones.
    this.#env = { ...options.env, LC_ALL: "C" };
    this.#limitMs = options.limitMs ?? LIMIT_MS;
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
    const [out, err, { code }] = await Promise.all([
      readBounded(process.stdout),
      readBounded(process.stderr),
      process.status,
    ]);
    signal.throwIfAborted();
    const late = ended.aborted ? `it did not end within ${this.#limitMs / 1000} s` : "";
    return { code: ended.aborted ? 124 : code, output: out + err + late };
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

/** Reads to the end, and keeps no more than is ever looked at. */
async function readBounded(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) {
    if (text.length < MAX_OUTPUT) text += decoder.decode(bytes, { stream: true });
  }
  return text.slice(0, MAX_OUTPUT);
}
