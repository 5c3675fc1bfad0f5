import { TempFolder } from "../../temp_folder.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { patience } from "../../patience.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";

/** What the running agent has seen, by `health --json`. */
async function problems(env: Record<string, string>): Promise<unknown> {
  await using asked = new AgentProcess(["health", "--json"], { env });
  await asked.ends();
  return JSON.parse(asked.output).problems;
}

Deno.test("a sealed agent reports while its metrics' address is taken, and serves them when restarted", async () => {
  using panel = await startTestPanel({ token: "t4ken" });
  using folder = new TempFolder();
  const env = { RUNTIME_DIRECTORY: folder.path };
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const args = ["-e", panel.url, "-t", panel.token, "-i", "0.5", "--metrics", `127.0.0.1:${port}`];
  {
    await using agent = new AgentProcess(args, { env });
    await agent.says("First report accepted");
    assertStringIncludes(agent.output, `Cannot serve metrics on 127.0.0.1 port ${port}`);
    assertMatch(JSON.stringify(await problems(env)), /metrics can't be served: 127\.0\.0\.1 port/);
    assertEquals((await agent.stop()).code, 0, agent.output);
  }
  taken.close();
  await using agent = new AgentProcess(args, { env });
  await agent.says("Metrics for Prometheus: ");
  await agent.says("First report accepted");
  if (Deno.build.os === "linux") assertStringIncludes(agent.output, "sealed by the kernel");
  assertEquals(await problems(env), []);
  const url = `http://127.0.0.1:${port}/metrics`;
  assertStringIncludes(await (await fetch(url, { signal: patience() })).text(), "komari_panel_up");
  assertEquals((await agent.stop()).code, 0, agent.output);
  assertEquals(panel.state.violations, []);
});
