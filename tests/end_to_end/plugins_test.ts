import { assertEquals, assertMatch } from "@std/assert";
import { panelFault } from "../test_panel/faults.ts";
import { AgentProcess } from "./agent_process.ts";
import { REMOTE_CONTROL, reportsBy, until, withAgent } from "./setup.ts";
import { TempFolder } from "../temp_folder.ts";

Deno.test("a plugin that refuses the WebSocket is named in log and status, and no second agent is", async () => {
  using folder = new TempFolder();
  const env = { RUNTIME_DIRECTORY: folder.path };
  await withAgent({ env }, async (panel, agent) => {
    await reportsBy(panel, "v2 websocket");
    await panel.setFault(panelFault("plugin-1008"));
    await until(panel, ({ calls }) => calls.filter(({ status }) => status === 101).length >= 2);
    const since = panel.state.counts.reports;
    await until(panel, ({ counts }) => counts.reports >= since + 2);
    const words = "the panel closed the connection: 1008 blocked by a plugin";
    assertEquals(
      agent.lines(`Reports are sent by POST: WebSockets are blocked: ${words}`).length,
      1,
      agent.output,
    );
    assertEquals(agent.lines("another agent runs"), []);
    await using status = new AgentProcess(["status"], { env });
    await status.ends();
    const [failure = ""] = status.lines("Last failure");
    assertMatch(failure, /: 1008 blocked by a plugin \u2192 let the proxy/);
  });
});

Deno.test("a result that makes the panel close the WebSocket with 1009 is cut and sent once more", async () => {
  await withAgent(
    { panel: { generation: "1.5" }, args: [REMOTE_CONTROL, "--reconnect-interval", "0.1"] },
    async (panel, agent) => {
      await reportsBy(panel, "v2 websocket");
      await panel.setFault(panelFault("message-limit"));
      panel.node.sendCommand("head -c 200000 /dev/zero | tr '\\0' x; exit 3");
      await until(panel, ({ counts }) => counts.commandResults > 0);
      const [result] = panel.state.commandResults.map(({ value }) => value);
      assertEquals(result?.exitCode, 3, agent.output);
      assertMatch(result?.result ?? "", /^x{65536}\n\[134464 more characters were cut off: /);
      await until(panel, ({ sockets }) => sockets.closed >= 1);
      assertEquals(panel.state.counts.commandResults, 1);
    },
  );
});
