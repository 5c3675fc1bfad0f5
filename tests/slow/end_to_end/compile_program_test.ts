import { assertRejects, assertStringIncludes } from "@std/assert";
import { compileProgram } from "../../../build/compile_program.ts";
import { V8_FLAGS } from "../../../build/runtime_flags.ts";
import { machineTarget } from "../../../lib/host/this_program.ts";

/**
 * Compiles with this very Deno as the runtime to build upon. What comes out is no program, but it
 * holds all that one is told, and no runtime has to be downloaded.
 */
async function compiled<T>(target: string, look: (dist: string) => Promise<T>): Promise<T> {
  const dist = await Deno.makeTempDir({ prefix: "compile-program-" });
  Deno.env.set("DENORT_BIN", Deno.execPath());
  try {
    await compileProgram("console.log(1)", { target, dist });
    return await look(dist);
  } finally {
    Deno.env.delete("DENORT_BIN");
    await Deno.remove(dist, { recursive: true });
  }
}

Deno.test("compileProgram() embeds flags and permissions, and no code cache", async () => {
  const target = machineTarget();
  const told = await compiled(target, async (dist) => {
    const bytes = await Deno.readFile(`${dist}/komari-agent-deno-${target}`);
    const text = new TextDecoder("latin1").decode(bytes);
    const start = text.lastIndexOf('{"argv":');
    return text.slice(start, start + 2000);
  });
  assertStringIncludes(told, '"code_cache_key":null');
  assertStringIncludes(told, '"prompt":false');
  // An empty list stands for all.
  assertStringIncludes(told, '"allow_run":[],"deny_run":null');
  for (const flag of V8_FLAGS.replace("--v8-flags=", "").split(",")) {
    assertStringIncludes(told, `"${flag}"`);
  }
});

Deno.test("compileProgram() throws when the runtime is for another target", async () => {
  const other = machineTarget() === "linux-arm64" ? "linux-amd64" : "linux-arm64";
  await assertRejects(
    () => compiled(other, () => Promise.resolve()),
    Error,
    `Cannot compile for ${other}: $DENORT_BIN names a runtime for ${machineTarget()}`,
  );
});
