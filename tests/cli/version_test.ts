import { assertEquals, assertMatch } from "@std/assert";
import { versionText } from "../../lib/cli/version.ts";
import { machineTarget } from "../../lib/host/this_program.ts";
import { VERSION } from "../../lib/version.ts";

Deno.test("versionText() is one line when people ask", () => {
  assertEquals(
    versionText({ json: false }),
    `komari-agent-deno ${VERSION} (${machineTarget()}, source)\n`,
  );
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
