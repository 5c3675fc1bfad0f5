import { abortable } from "@std/async/abortable";
import { pickVariables } from "../config/pick_variables.ts";

/** A compiled program starts within a second, on the slowest machine within a few. */
const WITHIN_MS = 10_000;
const MAX_OUTPUT = 64 * 1024;

/** What a program may need to start. */
const NEEDED_VARIABLES = ["PATH", "HOME", "TMPDIR", "DENO_DIR", "LD_LIBRARY_PATH"];

/**
 * Runs a program file with `version --json`, and gives the version that it says it is.
 *
 * It gets 10 s, and nothing of this process's environment that may be secret.
 *
 * @throws {Error} When it does not run, fails, hangs or says something else.
 */
export async function askVersion(
  path: string,
  { signal, withinMs = WITHIN_MS }: { signal: AbortSignal; withinMs?: number },
): Promise<string> {
  const late = AbortSignal.timeout(withinMs);
  try {
    await using program = new ShortProgram(path);
    const output = await abortable(program.output(), AbortSignal.any([signal, late]));
    return versionIn(output);
  } catch (cause) {
    signal.throwIfAborted();
    const reason = new Error(`it did not answer within ${withinMs / 1000} s`);
    throw new Error(`Cannot run ${path}`, { cause: late.aborted ? reason : cause });
  }
}

/** A program that says something and ends; in the end by force, with all that it has started. */
class ShortProgram implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  #text = "";

  constructor(path: string) {
    this.#child = new Deno.Command(path, {
      args: ["version", "--json"],
      clearEnv: true,
      env: environment(),
      // The leader of a group, which can be ended as one.
      detached: true,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
  }

  /** All that it says, when it has ended well. */
  async output(): Promise<string> {
    const decoder = new TextDecoder();
    for await (const part of this.#child.stdout.values({ preventCancel: true })) {
      this.#text += decoder.decode(part, { stream: true });
      if (this.#text.length > MAX_OUTPUT) throw new Error("it talks without end");
    }
    const { code } = await this.#child.status;
    if (code !== 0) throw new Error(`it ended with code ${code}`);
    return this.#text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      Deno.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // All of it has ended by itself.
    }
    await this.#child.status;
  }
}

function environment(): Record<string, string> {
  // A portable build needs to know by what it is run; compiled ones don't look at it.
  return { ...pickVariables(Deno.env.toObject(), NEEDED_VARIABLES), DENO: Deno.execPath() };
}

function versionIn(output: string): string {
  try {
    const said: unknown = JSON.parse(output);
    const isObject = typeof said === "object" && said !== null;
    if (isObject && "version" in said && typeof said.version === "string") return said.version;
  } catch {
    // It is told below.
  }
  throw new Error(`it says ${JSON.stringify(output.slice(0, 80))} instead of its version`);
}
