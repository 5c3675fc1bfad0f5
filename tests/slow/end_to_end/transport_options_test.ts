import { assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { panelFault } from "../../test_panel/faults.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { marked, newMark } from "../../remote/processes_below.ts";
import { REMOTE_CONTROL, until, withAgent } from "../../end_to_end/setup.ts";

const TOKEN = "tr4nsp0rt+/&=";

Deno.test("the agent compresses a long result that it posts, unless it is told not to", async () => {
  const fault = panelFault("upgrade-502");
  const encodings = (panel: TestPanel) =>
    new Set(
      panel.state.calls.filter(({ method, status }) => method === "POST" && status === 200)
        .map(({ headers }) => headers["content-encoding"] ?? "none"),
    );
  for (
    const [options, expected] of [[[], ["none", "gzip"]], [["--disable-compression"], ["none"]]]
  ) {
    await withAgent(
      { panel: { fault }, args: [REMOTE_CONTROL, ...options ?? []] },
      async (panel) => {
        await until(panel, ({ counts }) => counts.reports >= 1);
        panel.node.sendCommand("seq 1000");
        await until(panel, ({ commandResults }) => commandResults.length === 1);
        assertEquals(encodings(panel), new Set(expected));
      },
    );
  }
});

Deno.test("the agent opens a terminal when remote control is on", async () => {
  await withAgent({ args: [REMOTE_CONTROL] }, async (panel, agent) => {
    await agent.says("First report accepted");
    const terminal = panel.terminals.get(panel.terminals.request());
    await until(panel, () => terminal.isConnected);
    terminal.resize(101, 33);
    terminal.send("until stty size | grep '33 101'; do :; done; echo $((6 * 7))a漢\r");
    await terminal.until(({ output }) => output.includes("42a漢"));
    terminal.send("exit\r");
    await until(panel, () => terminal.isOver);
    assertStringIncludes(terminal.output, "33 101\r\n");
  });
});

Deno.test("the agent refuses a terminal in a line when remote control is off", async () => {
  await withAgent({}, async (panel, agent) => {
    await agent.says("First report accepted");
    const terminal = panel.terminals.get(panel.terminals.request());
    await terminal.until(({ output }) => output.includes("--enable-remote-control"));
    await until(panel, () => terminal.isOver);
  });
});

Deno.test("--disable-web-ssh wins over --enable-remote-control", async () => {
  await withAgent({ args: [REMOTE_CONTROL, "--disable-web-ssh"] }, async (panel, agent) => {
    await agent.says("First report accepted");
    panel.node.sendCommand("id");
    await until(panel, ({ commandResults }) => commandResults.length === 1);
    assertEquals(panel.state.commandResults[0]?.value.exitCode, -1);
  });
});

Deno.test("a command that runs on does not hold up reports, and ends with the agent", async () => {
  await withAgent({ args: [REMOTE_CONTROL] }, async (panel, agent) => {
    await agent.says("First report accepted");
    const mark = newMark();
    const nap = `sleep ${mark}`;
    panel.node.sendCommand(`${nap} & ${nap}`);
    await agent.says("starts");
    const { reports } = panel.state.counts;
    await until(panel, ({ counts }) => counts.reports >= reports + 5);
    const { code } = await agent.stop();
    assertEquals(code, 0);
    assertEquals(marked(mark), [], "no process is left");
  });
});

Deno.test("a command runs out of time, and says so", async () => {
  await withAgent({ args: [REMOTE_CONTROL, "--exec-timeout", "0.01"] }, async (panel, agent) => {
    await agent.says("First report accepted");
    panel.node.sendCommand("echo early; sleep 987653");
    await until(panel, ({ commandResults }) => commandResults.length === 1);
    const { value } = panel.state.commandResults[0] ?? {};
    assertStringIncludes(value?.result ?? "", "early");
    assertEquals(value?.exitCode, 124);
  });
});

Deno.test("over a WebSocket reports go every 10 s when more was asked for", async () => {
  using panel = await startTestPanel({ token: TOKEN });
  await using agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "25"]);
  await agent.says("Reports are sent every 10 s");
  await until(panel, ({ counts }) => counts.reports >= 2);
  const [first, second] = panel.state.reports;
  assertGreater(Number(second?.atMs) - Number(first?.atMs), 9_000);
  assertEquals(panel.state.sockets.opened, 1, "the panel did not drop it");
});
