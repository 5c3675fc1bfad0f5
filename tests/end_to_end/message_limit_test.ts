import { assertEquals, assertMatch } from "@std/assert";
import { panelFault } from "../test_panel/faults.ts";
import { REMOTE_CONTROL, reportsBy, until, withAgent } from "./setup.ts";

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
