import { type FaultName, panelFault } from "../../test_panel/faults.ts";
import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { together } from "./together.ts";

const TOKEN = "tr0uble/token&=";
/** Here the HTTP interface alone is in trouble; links by WebSocket have a file of their own. */
const HTTP = ["--protocol-version", "1"];

/** Each trouble, and what an operator reads of it. */
const TROUBLES: readonly [FaultName, string][] = [
  ["refuse", "refused"],
  ["status-500", "status 500"],
  ["502-html", "status 502 and a page of HTML"],
  ["html-200", "a page of HTML, not a panel's"],
  ["401", "does not know this token"],
  ["404-install", "install mode"],
  ["302-login", "login page in front of the panel?"],
  ["endless", "longer than 262144 bytes"],
  ["huge", "longer than 262144 bytes"],
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
  await panel.setFault(panelFault("hang"));
  await agent.says("no answer within 5 s");
  await panel.setFault(undefined);
  await agent.says("The panel answers again");
  assertEquals(agent.lines("no answer within").length, 1, agent.output);
});

Deno.test("the agent goes on reporting when the task list can't be read", async () => {
  using panel = await startTestPanel({
    token: TOKEN,
    fault: panelFault("bad-tasks"),
  });
  await using agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "0.2", ...HTTP]);
  await agent.says("the answer is not a panel's");
  const { reports } = panel.state.counts;
  await panel.state.until(({ counts }) => counts.reports >= reports + 3);
  assertEquals(agent.lines("fetch probe tasks").length, 1, agent.output);
});

Deno.test("the agent keeps its pace and its size with 10,000 hostile tasks", async () => {
  using hostile = await startTestPanel({
    token: TOKEN,
    fault: panelFault("tasks-hostile"),
  });
  using calm = await startTestPanel({ token: TOKEN });
  await using agent = new AgentProcess(["-e", hostile.url, "-t", TOKEN, "-i", "0.5", ...HTTP]);
  await using other = new AgentProcess(["-e", calm.url, "-t", TOKEN, "-i", "0.5", ...HTTP]);
  await agent.says("Skipping probe tasks");
  await other.says("First report accepted");
  const before = [hostile, calm].map(({ state }) => state.counts.reports);
  await calm.state.until(({ counts }) => counts.reports >= (before[1] ?? 0) + 10);
  // Of ten; on a busy machine one process waits longer than another.
  assertGreater(hostile.state.counts.reports - (before[0] ?? 0), 5, agent.output);
  assertLess(residentKb(agent.pid), 150_000);
  await agent.stopsAtOnce();
  assertLess(agent.output.split("\n").length, 20, agent.output);
});

Deno.test("the agent sends old panels basic info without the newer fields, and remembers", async () => {
  using panel = await startTestPanel({
    token: TOKEN,
    fault: panelFault("no-extra-columns"),
  });
  const args = [
    "-e",
    panel.url,
    "-t",
    TOKEN,
    "-i",
    "0.2",
    ...HTTP,
    "--info-report-interval",
    "0.1",
  ];
  await using agent = new AgentProcess(args);
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

function residentKb(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
}
