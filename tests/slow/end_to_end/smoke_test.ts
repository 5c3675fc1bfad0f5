import { assertEquals, assertStringIncludes } from "@std/assert";
import { buildPortable } from "../../../build/portable.ts";
import { writeExecutable } from "../../executable.ts";
import { ownPlaces } from "../../own_places.ts";

const SMOKE = new URL("../../../build/smoke.sh", import.meta.url).pathname;
const folder = await Deno.makeTempDir({ prefix: "smoke-" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** `patience`: tenths of a second until the first report. */
async function smoke(
  program: string,
  version: string,
  { patience = "600" } = {},
): Promise<{ code: number; error: string }> {
  const { code, stderr } = await new Deno.Command(SMOKE, {
    args: [program, version, "0.5", patience],
    env: { DENO: Deno.execPath(), AGENT_IP_SERVICES: "off", ...ownPlaces(`${folder}/home`) },
  }).output();
  return { code, error: new TextDecoder().decode(stderr) };
}

Deno.test("smoke.sh passes a build that works", async () => {
  const program = await buildPortable({ version: "1.2.3", folder });
  assertEquals(await smoke(program, "1.2.3"), { code: 0, error: "" });
});

Deno.test("smoke.sh refuses a build that is another version or fails in any of its parts", async () => {
  const program = `${folder}/broken`;
  const dryRun =
    `echo '"cpu_cores": 2 "mem_total": 3 "disk_total": 4'; [ "$part" = values ] || echo '"usage": 0.5'`;
  const demo = `echo "$said"; trap 'exit $end' TERM; while :; do sleep 0.05; done`;
  const build = (settings: string) =>
    writeExecutable(
      program,
      `#!/bin/sh\nsaid='First report accepted' end=0 part=; ${settings}\ncase $1 in\n` +
        `version) echo "komari-agent-deno 1.2.3 (x)";;\n--dry-run) ${dryRun};;\ndemo) ${demo};;\nesac\n`,
    );
  build("");
  assertEquals(await smoke(program, "1.2.3"), { code: 0, error: "" });
  assertStringIncludes((await smoke(program, "1.2.30")).error, "not version 1.2.30");
  const broken = {
    "part=values": 'a dry run without "usage": [0-9]',
    "end=3": "the demo ended with exit code 3",
    "said=Nothing": "a demo without a report",
    "said='First report accepted. error '": "errors in the demo",
  };
  for (const [settings, words] of Object.entries(broken)) {
    build(settings);
    const { code, error } = await smoke(program, "1.2.3", { patience: "3" });
    assertEquals(code, 1, settings);
    assertStringIncludes(error, `Cannot release ${program}: ${words}`);
  }
});
