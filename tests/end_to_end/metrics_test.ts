import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { complaints, hasPromtool } from "../exporter/promtool.ts";
import { AgentProcess } from "./agent_process.ts";

Deno.test("a sealed agent serves its metrics to Prometheus", async () => {
  using panel = await startTestPanel({ token: "scr4ped" });
  const args = ["-e", panel.url, "-t", panel.token, "-i", "0.3", "--include-mountpoint", "/proc"];
  await using agent = new AgentProcess([...args, "--metrics", "127.0.0.1:0"]);
  await agent.says("Metrics for Prometheus: ");
  await agent.says("First report accepted");
  const url = /Metrics for Prometheus: (\S+)/.exec(agent.output)?.[1] ?? "";
  assertMatch(url, /^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
  const text = await (await fetch(url)).text();
  if (Deno.build.os === "linux") {
    assertStringIncludes(text, "sealed by the kernel");
    assertMatch(text, /^node_filesystem_size_bytes\{.*mountpoint="\/proc"/m);
  }
  assertMatch(text, /^node_load1 \d/m);
  assertMatch(text, /^komari_panel_up\{panel="127\.0\.0\.1:\d+"\} 1$/m);
  if (hasPromtool) assertEquals(await complaints(text), []);
  assertEquals((await agent.stop()).code, 0, agent.output);
});
