import { assert, assertEquals } from "@std/assert";
import { PERMISSIONS, V8_FLAGS } from "../../build/runtime_flags.ts";
import { denoOutput } from "../deno_output.ts";

function read(path: string): string {
  return Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));
}

Deno.test("the tasks that run the agent do so by the script that gives it the flags of its builds", () => {
  const { tasks }: { tasks: Record<string, string> } = JSON.parse(read("deno.json"));
  for (const name of ["start", "demo", "dev"]) {
    const start = `deno run ${PERMISSIONS.join(" ")} build/run_source.ts`;
    assertEquals(tasks[name]?.slice(0, start.length), start, name);
  }
});

Deno.test("every v8 flag of a task is a flag of the builds", () => {
  const { tasks }: { tasks: Record<string, string> } = JSON.parse(read("deno.json"));
  const flags = Object.values(tasks).flatMap((task) => task.match(/--v8-flags=\S+/g) ?? []);
  assert(flags.length > 0);
  for (const flag of flags) assertEquals(flag, V8_FLAGS);
});

Deno.test("the engine knows the flags", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", V8_FLAGS, "0"],
  }).output();
  const told = new TextDecoder().decode(stderr);
  assertEquals({ code, told }, { code: 0, told: "" });
});

Deno.test("the engine runs the callbacks of finalization registries under the flags", async () => {
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
