import { assertEquals, assertMatch } from "@std/assert";
import { runVersion } from "../../lib/cli/version.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { machineTarget } from "../../lib/host/this_program.ts";
import { VERSION } from "../../lib/version.ts";

Deno.test("runVersion() prints a line for people, and for programs what they run on", () => {
  const printed = (...args: string[]) => {
    const context = new FakeContext();
    assertEquals(runVersion(configOf(["version", ...args]), context), 0);
    return context.printed;
  };
  assertEquals(printed(), `komari-agent-deno ${VERSION} (${machineTarget()}, source)\n`);
  const { deno, v8 } = Deno.version;
  assertEquals(JSON.parse(printed("--json")), {
    ...{ version: VERSION, commit: "", deno, v8, target: machineTarget(), form: "source" },
  });
  assertMatch(VERSION, /^\d+\.\d+\.\d+/);
});
