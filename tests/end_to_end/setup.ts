import { assert, assertEquals } from "@std/assert";
import type { Transport } from "../../lib/demo/panel_state.ts";
import {
  type StandInPanel,
  type StandInPanelOptions,
  startStandInPanel,
} from "../../lib/demo/stand_in_panel.ts";
import { AgentProcess } from "./agent_process.ts";

/** The flag that turns remote control on. */
export const REMOTE_CONTROL = "--enable-remote-control";

const TOKEN = "tr4nsp0rt+/&=";

/** How to start a panel and an agent that reports to it. */
export interface Setup {
  readonly panel?: StandInPanelOptions;
  readonly args?: readonly string[];
}

/**
 * Starts a panel and an agent, and ends both after `use`.
 *
 * Fails when the agent has violated the contract or has written the token to its log.
 */
export async function withAgent(
  { panel: options = {}, args = [] }: Setup,
  use: (panel: StandInPanel, agent: AgentProcess) => Promise<void>,
): Promise<void> {
  const panel = await startStandInPanel({ port: 0, token: TOKEN, ...options });
  try {
    await using agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "0.2", ...args]);
    await use(panel, agent);
    assertEquals(panel.state.violations, [], "the contract was kept");
    assertEquals(agent.output.includes(TOKEN), false, "the token is in no line");
    assertEquals(agent.output.includes(encodeURIComponent(TOKEN)), false, "nor its encoding");
  } finally {
    await panel.close();
  }
}

/** Waits until the panel's state meets a condition, for a minute at most. */
export function until(
  panel: StandInPanel,
  condition: (state: StandInPanel["state"]) => boolean,
): Promise<void> {
  return panel.state.until(condition, { signal: AbortSignal.timeout(60_000) });
}

/** One transport, and what leads to it. */
export interface TransportCase {
  readonly transport: Transport;
  /** The transport of the first report, as the log names it. */
  readonly first: string;
  readonly setup: Setup;
  /** Whether the panel can send commands by it. */
  readonly takesCommands: boolean;
}

/** Tests that an agent reports, probes and answers commands by a transport. */
export function testTransport({ transport, first, setup, takesCommands }: TransportCase): void {
  const how = JSON.stringify(setup);
  Deno.test(`the agent reports, probes and answers commands by ${transport} with ${how}`, async () => {
    await withAgent(setup, async (panel, agent) => {
      panel.state.tasks = [
        { id: 7, name: "p", type: "tcp", target: `127.0.0.1:${panel.port}`, interval: 1 },
      ];
      await until(panel, ({ reports }) => reports.filter((it) => it.by === transport).length >= 3);
      await agent.says(`First report accepted, by ${first}`);
      await until(panel, ({ counts }) => counts.basicInfos >= 1);
      await until(panel, ({ pingResults }) => pingResults.some(({ value }) => value.taskId === 7));
      const { value } = panel.state.pingResults[0] ?? {};
      assert(Number(value?.valueMs) >= 0);
      if (!takesCommands) return;
      const id = panel.sendCommand("echo done; exit 3");
      await until(panel, ({ commandResults }) => commandResults.length === 1);
      const [result] = panel.state.commandResults;
      assertEquals(result?.value.taskId, id);
      const isOn = setup.args?.includes(REMOTE_CONTROL) === true;
      assertEquals(result?.value.result, isOn ? "done\n" : "Remote control is disabled.");
      assertEquals(result?.value.exitCode, isOn ? 3 : -1);
      if (setup.panel?.fault === undefined) assertEquals(agent.lines("trying again"), []);
    });
  });
}
