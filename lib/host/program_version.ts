import { quoteStart } from "../parse/bounded_text.ts";
import { ToolRunner } from "./tool_runner.ts";

/** A compiled program starts within a second, on the slowest machines within a few. */
const TIMEOUT_MS = 10_000;

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
  const inherited = INHERITED_VARIABLES.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  // A portable build needs the path of its Deno; compiled ones ignore it.
  const tools = new ToolRunner({ ...Object.fromEntries(inherited), DENO: Deno.execPath() });
  const command = { tool: path, args: ["version", "--json"] };
  const { code, output } = await tools.run(command, { signal, timeoutMs: TIMEOUT_MS })
    .catch((cause) => {
      signal.throwIfAborted();
      throw new Error(`Cannot run ${path}`, { cause });
    });
  const version = /"version": ?"([^"]+)"/.exec(output)?.[1];
  if (code === 0 && version !== undefined) return version;
  const printed = quoteStart(output.trim(), 80);
  throw new Error(`Cannot run ${path}: it ended with code ${code} and printed ${printed}`);
}
