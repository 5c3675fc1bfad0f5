import { assertEquals, assertRejects } from "@std/assert";
import { updateProgram } from "../../lib/cli/update.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import type { ProgramForm } from "../../lib/host/this_program.ts";
import { VERSION } from "../../lib/version.ts";
import { programOf, ReleaseServer } from "../update/release_server.ts";
import { writeExecutable } from "../executable.ts";
import { configOf, FakeContext } from "./fake_context.ts";

/** Runs the command for a program of this version in a folder of its own. */
async function run(
  args: readonly string[],
  { form = "portable" }: { form?: ProgramForm } = {},
): Promise<{ text: string; code: number; names: string[] }> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/agent`;
    writeExecutable(path, programOf(VERSION));
    const config = configOf(["update", ...args], { RUNTIME_DIRECTORY: `${folder}/run` });
    const context = new FakeContext();
    const code = await updateProgram(config, { form, path }, context);
    const names = Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
    return { text: context.printed, code, names };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("updateProgram() throws when --check and --now are given", async () => {
  await assertRejects(() => run(["--check", "--now"]), UsageError, "--check and --now");
});

Deno.test("updateProgram() throws when there is no release address", async () => {
  await assertRejects(() => run([]), Error, "use --update-url URL");
});

Deno.test("updateProgram() checks for updates of sources but refuses to install them", async () => {
  await using server = new ReleaseServer();
  server.publish("999.0.0", programOf("999.0.0"));
  const place = ["--update-url", server.url];
  await assertRejects(() => run([...place, "--now"], { form: "source" }), Error, "git");
  const { text, code, names } = await run(place, { form: "source" });
  const expected =
    `Version 999.0.0 is available, ${VERSION} is installed: "update --now" installs it\n`;
  assertEquals([text, code, names], [expected, 0, ["agent"]]);
});

Deno.test("updateProgram() prints JSON", async () => {
  await using server = new ReleaseServer();
  server.publish(VERSION, programOf(VERSION));
  const place = ["--update-url", server.url, "--update-key", server.keys.publicKey];
  const { text, names } = await run([...place, "--now", "--json"]);
  const expected = { outcome: "nothing", present: VERSION, newest: VERSION, verdict: "not newer" };
  assertEquals(JSON.parse(text), expected);
  assertEquals(names, ["agent", "agent.update"]);
});

Deno.test("updateProgram() refuses to update without a key, but checks", async () => {
  await using server = new ReleaseServer();
  server.publish("999.0.0", programOf("999.0.0"));
  const place = ["--update-url", server.url];
  await assertRejects(() => run([...place, "--now"]), Error, "no key to verify releases with");
  assertEquals((await run(place)).code, 0);
  const key = ["--update-key", server.keys.publicKey];
  await assertRejects(() => run([...key, "--now"]), UsageError, "without --update-url");
  await assertRejects(() => run([...place, "--update-key", "x"]), UsageError, "Ed25519");
});
