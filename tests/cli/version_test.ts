import { assertEquals, assertMatch } from "@std/assert";
import { runVersion, versionText } from "../../lib/cli/version.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { machineTarget } from "../../lib/host/this_program.ts";
import { VERSION } from "../../lib/version.ts";

Deno.test("versionText() is one line when people ask", () => {
  const expected = `komari-agent-deno ${VERSION} (${machineTarget()}, source)\n`;
  assertEquals(versionText({ json: false }), expected);
});

Deno.test("versionText() tells programs what they run on", () => {
  const { deno, v8 } = Deno.version;
  const told: unknown = JSON.parse(versionText({ json: true }));
  assertEquals(told, {
    version: VERSION,
    commit: "",
    deno,
    v8,
    target: machineTarget(),
    form: "source",
  });
  assertMatch(VERSION, /^\d+\.\d+\.\d+/);
});

Deno.test("runVersion() prints it for people, or for programs", () => {
  for (const json of [false, true]) {
    const context = new FakeContext();
    assertEquals(runVersion(configOf(["version", ...json ? ["--json"] : []]), context), 0);
    assertEquals(context.printed, versionText({ json }));
  }
});
