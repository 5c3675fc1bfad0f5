import { assertEquals, assertStringIncludes } from "@std/assert";
import { asRoot } from "../../lib/cli/doctor_commands.ts";
import { configCheck, versionCheck } from "../../lib/cli/doctor_program.ts";
import type { Config } from "../../lib/config/config.ts";
import { VERSION } from "../../lib/version.ts";
import { programOf, ReleaseServer } from "../update/release_server.ts";
import { configOf as resolved } from "./fake_context.ts";

function configOf(...args: readonly string[]): Config {
  return resolved(["doctor", ...args]);
}

Deno.test("configCheck() names the file, and everything that is to know", async () => {
  const { signal } = new AbortController();
  const fine = await configCheck(configOf("-t", "x")).run(signal);
  assertEquals([fine.status, fine.text], ["ok", "from flags and variables"]);
  const warned = await configCheck(configOf("--transport", "http", "-i", "60")).run(signal);
  assertEquals(warned.status, "warning");
  assertStringIncludes(warned.text, "35 s");
  const unknownVariables = ["variable TOKEN is not known; did you mean AGENT_TOKEN?"];
  const unknown = { unknownVariables, notices: unknownVariables };
  const told = await configCheck({ ...configOf("-t", "x"), ...unknown }).run(signal);
  assertEquals(told.status, "ok", "the check of the panel tells it");
  const beside = await configCheck({
    ...configOf("-e", "https://p.example", "-t", "x"),
    ...unknown,
  }).run(signal);
  assertEquals(beside.status, "warning");
  const mistake = "Cannot use key x of /etc/x.json: there is none of that name";
  const wrong = await configCheck({ ...configOf(), mistake }).run(signal);
  assertEquals([wrong.status, wrong.text], ["failed", mistake]);
  assertEquals(wrong.advice, "correct that, and have it used: komari-agent-deno install");
  const empty =
    "Cannot use the installed configuration /etc/x.json: it is no valid JSON: it is empty";
  const { advice } = await configCheck({ ...configOf(), mistake: empty }).run(signal);
  const install = "komari-agent-deno install -e URL --token-file -";
  assertEquals(advice, `make it anew: rm /etc/x.json && ${asRoot(install)}`);
});

Deno.test("versionCheck() warns of a newer version, and of none that can be looked up", async () => {
  const run = async (...args: string[]) =>
    await versionCheck(configOf(...args)).run(new AbortController().signal);
  const none = await run();
  const expected = ["skipped", `${VERSION}; this build has no release address`];
  assertEquals([none.status, none.text], expected);
  await using server = new ReleaseServer();
  const place = ["--update-url", server.url];
  server.publish("999.0.0", programOf("999.0.0"));
  const newer = await run(...place);
  assertEquals([newer.status, newer.text, newer.advice], [
    "warning",
    `${VERSION}; version 999.0.0 is available`,
    "`update --now` installs it",
  ]);
  server.publish(VERSION, programOf(VERSION));
  const same = await run(...place);
  assertEquals([same.status, same.text], ["ok", `${VERSION} is up to date`]);
  const { status, text, advice } = await run("--update-url", "http://127.0.0.1:1/latest");
  assertEquals(status, "warning");
  assertStringIncludes(advice ?? "", "see what flag --update-url answers, and correct it: curl -v");
  assertStringIncludes(text, `${VERSION}; Cannot `);
});

Deno.test("configCheck() says whose file it is, and each notice", async () => {
  const { signal } = new AbortController();
  const config = { ...configOf(), configPath: "/x/config.json", notices: ["one", "two"] };
  const textOf = async (change: Partial<Config>) => {
    const { status, text } = await configCheck({ ...config, ...change }).run(signal);
    return `${status} ${text}`;
  };
  assertEquals(await textOf({}), "warning /x/config.json: one; two");
  assertEquals(await textOf({ notices: [] }), "ok /x/config.json");
  const expected = "ok /x/config.json, of the installed service";
  assertEquals(await textOf({ notices: [], isConfigInstalled: true }), expected);
});
