import { attempt } from "../attempt.ts";
import { BoundedBytes } from "../io/bounded_bytes.ts";
import { OutputReader } from "./output_reader.ts";
import { abortable } from "@std/async/abortable";
import { quoteStart } from "../parse/bounded_text.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { withTimeout } from "../async/timeout.ts";

/** A compiled program starts within a second, on the slowest machines within a few. */
const TIMEOUT_MS = 10_000;
const MAX_OUTPUT = 64 * 1024;

/** Variables that a program may need to start. */
const INHERITED_VARIABLES = ["PATH", "HOME", "TMPDIR", "DENO_DIR", "LD_LIBRARY_PATH"];

/**
 * Runs a program file with `version --json`, and returns the version.
 *
 * It gets 10 s, and no variables that may be secret.
 *
 * @throws {Error} When it can't be run, fails, hangs or prints something else.
 */
export async function readProgramVersion(
  path: string,
  { signal }: { signal: AbortSignal },
): Promise<string> {
  try {
    return await withTimeout(async (signal) => {
      const child = start(path);
      try {
        const reader = new OutputReader(child.stdout, new BoundedBytes(MAX_OUTPUT));
        await abortable(reader.ended, signal);
        const { code } = await abortable(child.status, signal);
        if (code !== 0) throw new Error(`exit code ${code}`);
        return parseVersionOutput(new TextDecoder().decode(reader.output.bytes));
      } finally {
        // The group may have ended.
        attempt(() => Deno.kill(-child.pid, "SIGKILL"));
        await child.status;
      }
    }, { timeoutMs: TIMEOUT_MS, signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new Error(`Cannot run ${path}`, { cause });
  }
}

/** Starts it as the leader of a process group, which can be killed as one. */
function start(path: string): Deno.ChildProcess {
  return new Deno.Command(path, {
    args: ["version", "--json"],
    clearEnv: true,
    env: environment(),
    detached: true,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
}

function environment(): Record<string, string> {
  const inherited = INHERITED_VARIABLES.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  // A portable build needs the path of its Deno; compiled ones ignore it.
  return { ...Object.fromEntries(inherited), DENO: Deno.execPath() };
}

function parseVersionOutput(output: string): string {
  const { version } = jsonFields(parseJson(output));
  if (typeof version === "string") return version;
  throw new Error(`it printed ${quoteStart(output, 80)} instead of its version`);
}
