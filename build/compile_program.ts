import { PROGRAM } from "../lib/version.ts";
import { EXECUTABLE_HEAD_BYTES, executableTarget } from "./executable_target.ts";
import { NO_CODE_CACHE, PERMISSIONS, V8_FLAGS } from "./runtime_flags.ts";
import { run } from "./run.ts";

/** Targets of compiled programs: their names, as in Go, and the compiler's. */
export const TARGETS: Readonly<Record<string, string>> = {
  "linux-amd64": "x86_64-unknown-linux-gnu",
  "linux-arm64": "aarch64-unknown-linux-gnu",
  "darwin-amd64": "x86_64-apple-darwin",
  "darwin-arm64": "aarch64-apple-darwin",
};

/**
 * Compiles a bundle into a program for one target, and returns its path.
 *
 * The compiler appends the bundle to the target's runtime, which it downloads once. Without a
 * network, `$DENORT_BIN` names a local copy of that runtime.
 *
 * @throws {Error} When the target is unknown, or its runtime unreachable or for another target.
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
  const path = `${dist}/${PROGRAM}-${target}`;
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
    `Cannot compile for ${target}: its runtime can't be downloaded from dl.deno.land; ` +
      "set DENORT_BIN=/path/of/denort to use a local one, or build with --portable",
    { cause: error },
  );
}
