import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { buildPortable } from "../../../build/portable.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { patience } from "../../patience.ts";
import { realDeadline } from "../../real_deadline.ts";
import { freePort } from "../../free_port.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";

const folder = await Deno.makeTempDir({ prefix: "portable-" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const program = await realDeadline(buildPortable({ version: "7.8.9", folder }));

Deno.test("a build reports under its version, and names it to servers", async () => {
  using panel = await startTestPanel();
  const { url, token, state } = panel;
  await using agent = new AgentProcess(["-e", url, "-t", token, "-i", "0.2"], { program });
  await state.until(({ counts }) => counts.reports >= 5 && counts.basicInfos >= 1);
  assertEquals(state.basicInfos[0]?.value.version, "7.8.9");
  assert(state.calls.length > 0);
  for (const { headers } of state.calls) {
    assertEquals(headers["user-agent"], "komari-agent-deno/7.8.9");
  }
  assertEquals(state.violations, []);
  await agent.stopsAtOnce();
});

Deno.test("a build shows a dry run, and the demo with all that it loads later", async () => {
  await using dry = new AgentProcess(["--dry-run", "--json", "-i", "0.2"], { program });
  assertEquals(await dry.ends(), { code: 0 });
  assertEquals(JSON.parse(dry.output).basicInfo.version, "7.8.9");

  // Nothing was downloaded before, and nothing can be.
  const env = { DENO_DIR: `${folder}/empty`, NPM_CONFIG_REGISTRY: "http://127.0.0.1:9/" };
  await using demo = new AgentProcess(["demo", "--port", `${freePort()}`], { program, env });
  await demo.says("First report accepted");
  const [url = ""] = /http:\/\/127\.0\.0\.1:\d+/.exec(demo.output) ?? [];
  const page = await fetch(`${url}/`, { signal: patience() });
  assertStringIncludes(await page.text(), "<title>");
  assertEquals((await demo.stop("SIGINT")).code, 0);
});
