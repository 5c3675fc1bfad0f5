import { assertEquals, assertMatch } from "@std/assert";
import type { TestPanel } from "../test_panel/test_panel.ts";
import { REMOTE_CONTROL, reportsBy, until, withAgent } from "./setup.ts";

const MIB = 1024 * 1024;
const WAYS = [["v2 websocket", []], ["v2 post", ["--transport", "http"]]] as const;

/** A command of so many bytes that prints a word. */
function commandOf(bytes: number, word: string): string {
  const start = `echo ${word}; : `;
  return start + "x".repeat(bytes - start.length);
}

/** Waits for the results of commands, in the order in which they were given. */
async function resultsOf(panel: TestPanel, ids: readonly string[]): Promise<string[]> {
  const resultOf = (id: string) =>
    panel.state.commandResults.find(({ value }) => value.taskId === id)?.value;
  await until(panel, () => ids.every((id) => resultOf(id) !== undefined));
  return ids.map((id) => `${resultOf(id)?.exitCode} ${resultOf(id)?.result.trim()}`);
}

for (const [transport, args] of WAYS) {
  Deno.test(`orders of 4 MiB run, and longer ones are answered with their size: ${transport}`, async () => {
    await withAgent({ args: [REMOTE_CONTROL, ...args] }, async (panel, agent) => {
      await reportsBy(panel, transport);
      await until(panel, () => panel.node.isReachable);
      const ids = [
        commandOf(70_000, "a"),
        commandOf(4 * MIB, "b"),
        commandOf(4 * MIB + 1, "c"),
        commandOf(9 * MIB, "d"),
        commandOf(50, "e"),
      ].map((command) => panel.node.sendCommand(command));
      const queued = Array.from({ length: 100 }, (_, n) => n);
      const more = queued.map((n) => panel.node.sendCommand(commandOf(8192, `${n}`)));
      const [a, b, c, d, e] = await resultsOf(panel, ids);
      assertEquals(await resultsOf(panel, more), queued.map((n) => `0 ${n}`));
      assertEquals([a, b, e], ["0 a", "0 b", "0 e"]);
      assertMatch(c ?? "", /^-1 The command was not run: it has 4194305 bytes, .* 4194304 are/);
      assertMatch(d ?? "", /^-1 The command was not run: it has 94\d{5} bytes, .* 8388608 are/);
      await agent.says("Refused an order of the panel, agent.exec");
      assertEquals(agent.lines("Refused an order of the panel").length, 1);
      assertEquals(agent.lines("Cannot keep the WebSocket"), []);
    });
  });
}
