import { EXECUTABLE_HEAD_BYTES, executableTarget } from "../lib/update/fetch_program.ts";
import { NO_CODE_CACHE, PERMISSIONS, V8_FLAGS } from "./runtime_flags.ts";
import { run } from "./run.ts";
import { TARGETS } from "./targets.ts";

/**
 * Compiles a bundle into a program for one target, and gives its path.
 *
 * The compiler puts the bundle behind a runtime of the target's, which it downloads once. Without a
 * network `$DENORT_BIN` can name that runtime as a file.
 *
 * @throws {Error} When there is no such target, or its runtime is out of reach or another's.
 */
export async function compileProgram(
  script: string,
  options: { target: string; dist: string },
): Promise<string> {
  const { target, dist } = options;
  const triple = TARGETS[target];
  if (triple === undefined) {
    throw new Error(`Cannot compile for ${target}: targets are ${Object.keys(TARGETS).join(", ")}`);
  }
  const folder = await Deno.makeTempDir({ prefix: "komari-agent-deno-compile-" });
  const path = `${dist}/komari-agent-deno-${target}`;
  try {
    await Deno.writeTextFile(`${folder}/program.js`, script);
    const flags = [...PERMISSIONS, NO_CODE_CACHE, V8_FLAGS, "--no-check", "--no-config"];
    const args = ["compile", "--quiet", ...flags, "--target", triple, "--output", path];
    await run(Deno.execPath(), [...args, "program.js"], { folder });
  } catch (error) {
    throw explained(error, target);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const made = executableTarget(await readHead(path));
  if (made !== target) {
    await Deno.remove(path);
    throw new Error(`Cannot compile for ${target}: $DENORT_BIN names a runtime for ${made}`);
  }
  return path;
}

async function readHead(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const head = new Uint8Array(EXECUTABLE_HEAD_BYTES);
  const length = await file.read(head);
  return head.subarray(0, length ?? 0);
}

function explained(error: unknown, target: string): unknown {
  const outOfReach = error instanceof Error &&
    /Setting up base binary|Could not find denort/.test(error.message);
  if (!outOfReach) return error;
  return new Error(
    `Cannot compile for ${target}: its runtime can't be had from dl.deno.land; ` +
      "DENORT_BIN=/path/of/denort names one that is there, --portable needs none",
    { cause: error },
  );
}
