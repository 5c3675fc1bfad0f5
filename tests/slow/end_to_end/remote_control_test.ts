import { assert, assertEquals, assertMatch } from "@std/assert";
import { panelFault } from "../../test_panel/faults.ts";
import { REMOTE_CONTROL, until, withAgent } from "../../end_to_end/setup.ts";

const SLOWER = `--preload=${new URL("../quick_timers.ts", import.meta.url).pathname}`;

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

Deno.test("the agent compresses a long result that it posts, unless it is told not to", async () => {
  const fault = panelFault("upgrade-502");
  for (const [expected, ...options] of [["none,gzip"], ["none", "--disable-compression"]]) {
    const setup = {
      panel: { fault, generation: "1.5" },
      args: [REMOTE_CONTROL, ...options],
    } as const;
    await withAgent(setup, async (panel) => {
      await until(panel, ({ counts }) => counts.reports >= 1 && panel.node.isReachable);
      panel.node.sendCommand("seq 1000");
      await until(panel, ({ commandResults }) => commandResults.length === 1);
      const { reports } = panel.state.counts;
      // The panel notes a call when it has answered it.
      await until(panel, ({ counts }) => counts.reports >= reports + 3);
      const posted = panel.state.calls.filter((it) => it.method === "POST" && it.status === 200);
      const encodings = posted.map(({ headers }) => headers["content-encoding"] ?? "none");
      assertEquals([...new Set(encodings)].join(), expected);
    });
  }
});
