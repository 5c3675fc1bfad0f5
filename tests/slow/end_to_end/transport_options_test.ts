import { assertEquals } from "@std/assert";
import { panelFault } from "../../test_panel/faults.ts";
import type { TestPanel } from "../../test_panel/test_panel.ts";
import { REMOTE_CONTROL, until, withAgent } from "../../end_to_end/setup.ts";

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
      { panel: { fault, generation: "1.5" }, args: [REMOTE_CONTROL, ...options ?? []] },
      async (panel) => {
        await until(panel, ({ counts }) => counts.reports >= 1 && panel.node.isReachable);
        panel.node.sendCommand("seq 1000");
        await until(panel, ({ commandResults }) => commandResults.length === 1);
        const { reports } = panel.state.counts;
        // The panel notes a call when it has answered it.
        await until(panel, ({ counts }) => counts.reports >= reports + 3);
        assertEquals(encodings(panel), new Set(expected));
      },
    );
  }
});
