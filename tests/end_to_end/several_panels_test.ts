import { assertEquals } from "@std/assert";
import { jsonFields } from "../../lib/parse/json.ts";
import { panelFault } from "../test_panel/faults.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { AgentProcess } from "./agent_process.ts";
import { until } from "./setup.ts";
import { inFolder } from "../temp_folder.ts";

const TOKENS = ["t0ken-of-a", "t0ken-of-b", "t0ken-of-c"];

Deno.test("one process reports to three panels, and trouble at one leaves the others alone", async () => {
  using a = await startTestPanel({ token: TOKENS[0] });
  using b = await startTestPanel({ token: TOKENS[1] });
  using c = await startTestPanel({ token: TOKENS[2] });
  const panels = [a, b, c];
  for (const panel of panels) {
    panel.state.tasks = [
      { id: 7, name: "p", type: "tcp", target: `127.0.0.1:${panel.port}`, interval: 1 },
    ];
  }
  const args = panels.flatMap(({ url, token }) => ["-e", url, "-t", token]);
  await using agent = new AgentProcess([...args, "-i", "0.2"]);
  for (const panel of panels) {
    await until(panel, ({ reports }) => reports.length >= 3);
    await until(panel, ({ counts }) => counts.basicInfos >= 1);
    await until(panel, ({ pingResults }) => pingResults.length >= 1);
  }

  await b.setFault(panelFault("silence"));
  const before = [a, c].map(({ state }) => state.counts.reports);
  for (const [at, panel] of [a, c].entries()) {
    await until(panel, ({ counts }) => counts.reports >= (before[at] ?? 0) + 10);
  }
  await b.setFault(panelFault("refuse"));
  await agent.says(`[127.0.0.1:${b.port}] Cannot`);
  await b.setFault(undefined);
  const { reports } = b.state.counts;
  await until(b, ({ counts }) => counts.reports > reports);

  const troubled = agent.lines("warning").filter((line) => !line.includes(`:${b.port}]`));
  assertEquals(troubled.filter((line) => line.includes("127.0.0.1:")), []);

  for (const { state } of panels) assertEquals(state.violations, []);
  for (const token of TOKENS) assertEquals(agent.output.includes(token), false);
  assertEquals((await agent.stop()).code, 0);
});

inFolder.test("remote control is the panel's own: one may run commands, the other may not", async (folder) => {
  const config = `${folder.path}/config.json`;
  using mayNot = await startTestPanel({ generation: "main" });
  using may = await startTestPanel({ generation: "main" });
  using old = await startTestPanel({ generation: "1.1" });
  const panels = [mayNot, may, old];
  const text = JSON.stringify({
    interval: 0.2,
    panels: [
      { endpoint: mayNot.url, token: mayNot.token },
      { endpoint: may.url, token: may.token, enable_remote_control: true },
      { endpoint: old.url, token: old.token, enable_remote_control: true },
    ],
  });
  await Deno.writeTextFile(config, text, { mode: 0o600 });
  await using agent = new AgentProcess(["--config", config]);
  for (const panel of panels) await until(panel, ({ reports }) => reports.length >= 2);
  // Of a panel that may give none, longer orders are not even read.
  const command = `echo done; : ${"x".repeat(70_000)}`;
  for (const panel of panels) {
    await until(panel, () => panel.node.isReachable);
    panel.node.sendCommand(command);
  }
  for (const panel of panels) {
    await until(panel, ({ commandResults }) => commandResults.length === 1);
  }
  assertEquals(mayNot.state.commandResults[0]?.value.result, "Remote control is disabled.");
  for (const { state } of [may, old]) {
    assertEquals(state.commandResults[0]?.value.result, "done\n");
  }
  const configs = [await mayNot.requestStartupConfig(), await may.requestStartupConfig()];
  assertEquals(
    configs.map((it) => [jsonFields(it).endpoint, jsonFields(it).disable_web_ssh]),
    [[mayNot.url, true], [may.url, false]],
  );
  await agent.says("Remote control is on");
  for (const { port } of panels) {
    await agent.says(`[127.0.0.1:${port}] First report accepted`);
  }
});
