import { assert, assertEquals, assertMatch } from "@std/assert";
import { testResumedTerminal } from "../../end_to_end/remote_control.ts";
import { REMOTE_CONTROL, until, withAgent } from "../../end_to_end/setup.ts";
import { panelFault } from "../../test_panel/faults.ts";

// What the fast tests do with a panel of main, on the panels and transports that they leave out.

const SLOWER = `--preload=${new URL("../quick_timers.ts", import.meta.url).pathname}`;
const BLOCKED = panelFault("websocket-refused", { calls: ["upgrade"] });

for (const generation of ["1.5", "main"] as const) {
  for (const fault of [undefined, BLOCKED]) {
    const how = fault === undefined ? "" : " while WebSockets for reports are blocked";
    Deno.test(`resumed terminals work with a panel ${generation}${how}`, async () => {
      const setup = { panel: { generation, fault }, args: [REMOTE_CONTROL] };
      await withAgent(setup, async (panel, agent) => {
        await agent.says("First report accepted");
        await testResumedTerminal(panel, agent);
        const by = fault === undefined ? "v2 websocket" : "v2 post";
        assertEquals(panel.state.reports.at(-1)?.by, by);
      });
    });
  }
}

Deno.test("an agent that is stopped sends a result for each command that runs or waits", async () => {
  const setup = {
    panel: { generation: "main" },
    // On a busy machine it has longer for them.
    runtime: [SLOWER],
  } as const;
  for (const more of [[], ["--transport", "http"]]) {
    await withAgent({ ...setup, args: [REMOTE_CONTROL, ...more] }, async (panel, agent) => {
      await agent.says("First report accepted");
      for (let count = 0; count < 6; count++) panel.node.sendCommand("sleep 1000");
      // It is handled after them by WebSocket, and what was pulled is acknowledged by the next pull.
      assert(panel.switchVersion("snapshot"));
      await agent.says("Refused to switch");
      await until(panel, () => panel.node.queue.poll([]).length === 0);
      assertEquals((await agent.stop()).code, 0);
      await until(panel, ({ commandResults }) => commandResults.length >= 6);
      const outputs = panel.state.commandResults.map(({ value }) => value.result);
      for (const output of outputs) assertMatch(output, /^The agent stopped before the command/);
    });
  }
});
