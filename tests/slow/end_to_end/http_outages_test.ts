import { type FaultName, panelFault } from "../../test_panel/faults.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { together } from "./together.ts";

const TOKEN = "tr0uble/token&=";
/** Here the HTTP interface alone is in trouble; links by WebSocket have a file of their own. */
const HTTP = ["--protocol-version", "1"];

/** Each trouble, and what an operator reads of it; more of them strike links by WebSocket. */
const TROUBLES: readonly [FaultName, string][] = [
  ["refuse", "refused"],
  ["server-error", "status 502 and a page of HTML"],
  ["token-refused", "does not know this token"],
  ["endless", "longer than 262144 bytes"],
  ["close", "connection was closed"],
];

Deno.test("the agent outlives a panel in trouble, and says so in two lines", async (t) => {
  await together(t, TROUBLES, async ([fault, words]) => {
    using panel = await startTestPanel({ token: TOKEN });
    await using agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "0.2", ...HTTP]);
    await agent.says("First report accepted");
    await panel.state.until(({ counts }) => counts.basicInfos > 0 && counts.taskLists > 0);
    await panel.setFault(panelFault(fault));
    await agent.says(words);
    await failedCalls(panel, fault);
    const { reports } = panel.state.counts;
    await panel.setFault(undefined);
    await panel.state.until(({ counts }) => counts.reports > reports);
    await agent.says("again after");
    const { code } = await agent.stop();
    assertEquals(code, 0, agent.output);
    assertEquals(agent.lines(words).length, 1, `said once:\n${agent.output}`);
    assertEquals(agent.lines("again after").length, 1, agent.output);
    assertEquals(agent.output.includes(TOKEN), false, "no token");
    assertEquals(agent.output.includes(encodeURIComponent(TOKEN)), false, "in no spelling");
    assertEquals(panel.state.violations, []);
  });
});

/** Waits until a few calls have met the fault; one that refuses connections can't count them. */
async function failedCalls(
  panel: Awaited<ReturnType<typeof startTestPanel>>,
  fault: FaultName,
): Promise<void> {
  const { calls } = panel.state.counts;
  if (fault !== "refuse") await panel.state.until(({ counts }) => counts.calls >= calls + 3);
}

Deno.test("the agent outlives a panel that hangs: a time-out, then reports again", async () => {
  using panel = await startTestPanel({ token: TOKEN });
  await using agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "0.2", ...HTTP]);
  await agent.says("First report accepted");
  await panel.setFault(panelFault("silence"));
  await agent.says("no answer within 5 s");
  await panel.setFault(undefined);
  await agent.says("The panel answers again");
  assertEquals(agent.lines("no answer within").length, 1, agent.output);
});

Deno.test("the agent goes on reporting when the task list can't be read", async () => {
  using panel = await startTestPanel({ token: TOKEN, fault: panelFault("bad-tasks") });
  await using agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "0.2", ...HTTP]);
  await agent.says("Cannot fetch the probe tasks");
  const { reports } = panel.state.counts;
  await panel.state.until(({ counts }) => counts.reports >= reports + 3);
  assertEquals(agent.lines("Cannot fetch the probe tasks").length, 1, agent.output);
});

Deno.test("the agent sends old panels basic info without the newer fields, and remembers", async () => {
  using panel = await startTestPanel({ token: TOKEN, fault: panelFault("no-extra-columns") });
  const args = ["-e", panel.url, "-t", TOKEN, "-i", "0.2", "--info-report-interval", "0.1"];
  await using agent = new AgentProcess([...args, ...HTTP]);
  await agent.says("only without the newer fields");
  const statuses = () =>
    panel.state.calls
      .filter(({ path }) => path.endsWith("/uploadBasicInfo"))
      .map(({ status }) => status);
  await panel.state.until(() => statuses().length >= 3);
  assertEquals(statuses().slice(0, 3), [500, 200, 200]);
  const body = JSON.stringify(panel.state.basicInfos.at(-1)?.value);
  assert(!body.includes("kernel_version") && !body.includes("cpu_physical_cores"), body);
  assertStringIncludes(body, "cpu_cores");
});
