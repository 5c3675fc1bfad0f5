import { assert, assertEquals, assertLess } from "@std/assert";
import { V8_FLAGS } from "../../../build/runtime_flags.ts";
import { Programs } from "../../../lib/host/programs.ts";
import { REMOTE_CONTROL, withAgent } from "../../end_to_end/setup.ts";
import { Browser } from "../../test_panel/browser.ts";
import type { TestPanel } from "../../test_panel/test_panel.ts";
import { unless } from "../../only_on.ts";
import { anonymousMb } from "./seen_process.ts";
import { delay as rest } from "@std/async/delay";

// Everything that remote control allows at the same time, and what the agent takes for it.

/** Beside the agent's own memory, which a quiet panel leaves it. */
const MAX_MORE_MB = 64;
/** What may be left of that a minute later: code that was loaded, and buffers. */
const MAX_LEFT_MB = 8;
const REST_MS = 60_000;
const OUTPUT_BYTES = 4 * 1024 * 1024;

const lack = new Programs().find("script", Deno.env.get("PATH") ?? "") === undefined;

unless(lack ? "no script" : undefined).test(
  "32 terminals, 64 commands of 4 MiB and 1,000 file orders at once are bounded together",
  async () => {
    const setup = { args: [REMOTE_CONTROL], runtime: [V8_FLAGS] };
    await withAgent({ ...setup, panel: { generation: "main" } }, async (panel, agent) => {
      await agent.says("First report accepted");
      // What loads all code.
      await panel.files.request("search", { path: "/etc/default", query: "x", content: true });
      await sentOutputs(panel, 1, "echo");
      await rest(REST_MS / 4);
      const beforeMb = anonymousMb(agent.pid);
      let peakMb = beforeMb;
      const sampling = setInterval(() => peakMb = Math.max(peakMb, anonymousMb(agent.pid)), 50);
      const browsers = Array.from({ length: 32 }, () => new Browser(panel));
      const terminals = browsers.map(({ id }) => panel.terminals.get(id));
      for (const terminal of terminals) await terminal.until(({ isConnected }) => isConnected);
      const orders = Array.from({ length: 1000 }, (_, index) => {
        const op = index % 10 === 0 ? "search" : "list";
        return panel.files.request(op, { path: "/usr/bin", query: "none" }).catch(() => {});
      });
      const command = `head -c ${OUTPUT_BYTES} /dev/zero | tr '\\0' x; sleep 2`;
      const lengths = await sentOutputs(panel, 64, command);
      await Promise.all(orders);
      assertEquals(terminals.filter(({ isConnected }) => isConnected).length, 32);
      assert(lengths.every((length) => length > OUTPUT_BYTES / 16), `${lengths}`);
      for (const [index, terminal] of terminals.entries()) {
        terminal.close();
        browsers[index]?.[Symbol.dispose]();
      }
      await rest(REST_MS);
      clearInterval(sampling);
      const leftMb = anonymousMb(agent.pid) - beforeMb;
      const moreMb = peakMb - beforeMb;
      console.log(
        `an owner's day at once: ${moreMb.toFixed(1)} MB more, ${leftMb.toFixed(1)} left`,
      );
      assertLess(moreMb, MAX_MORE_MB);
      assertLess(leftMb, MAX_LEFT_MB);
    });
  },
);

/** Runs a command so many times at once, and gives the lengths of the results. */
async function sentOutputs(panel: TestPanel, count: number, command: string): Promise<number[]> {
  const ids = new Set(Array.from({ length: count }, () => panel.node.sendCommand(command)));
  const results = () => panel.state.commandResults.filter(({ value }) => ids.has(value.taskId));
  while (results().length < count) await rest(100);
  return results().map(({ value }) => value.result.length);
}
