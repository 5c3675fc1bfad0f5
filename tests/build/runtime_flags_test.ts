import { assert, assertEquals } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { PERMISSIONS, V8_FLAGS } from "../../build/runtime_flags.ts";
import { denoOutput } from "../deno_output.ts";

const tasks: Record<string, string> = manifest.tasks;

Deno.test("the tasks that run the agent do so by the script that gives it the flags of its builds", () => {
  for (const name of ["start", "demo", "dev"]) {
    const start = `deno run ${PERMISSIONS.join(" ")} build/run_source.ts`;
    assertEquals(tasks[name]?.slice(0, start.length), start, name);
  }
  const flags = Object.values(tasks).flatMap((task) => task.match(/--v8-flags=\S+/g) ?? []);
  assert(flags.length > 0);
  for (const flag of flags) assertEquals(flag, V8_FLAGS);
});

Deno.test("the engine knows the flags, and runs the callbacks of finalization registries under them", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", V8_FLAGS, "0"],
  }).output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  const script = `const { promise, resolve } = Promise.withResolvers();
    const registry = new FinalizationRegistry(resolve);
    (() => registry.register({}, "called"))();
    const timer = setInterval(() => gc(), 1);
    const late = setTimeout(() => resolve("never called"), 5_000);
    console.log(await promise);
    clearInterval(timer);
    clearTimeout(late);`;
  assertEquals(await denoOutput("eval", [V8_FLAGS, script]), "called\n");
});
