import { assertEquals } from "@std/assert";
import type { ReceivedBy } from "../../lib/demo/panel_state.ts";
import { startTestPanel, type TestPanel, type TestPanelOptions } from "../test_panel/test_panel.ts";
import { ShellHome } from "../shell_home.ts";
import { AgentProcess } from "./agent_process.ts";

/** The flag that turns remote control on. */
export const REMOTE_CONTROL = "--enable-remote-control";

const SHELL_HOME_PRELOAD = new URL("shell_home_preload.ts", import.meta.url).pathname;

const TOKEN = "tr4nsp0rt+/&=";

/** How to start a panel and an agent that reports to it. */
export interface Setup {
  readonly panel?: TestPanelOptions;
  readonly args?: readonly string[];
  /** Flags of the agent's runtime. */
  readonly runtime?: readonly string[];
  /** Gives the address by which the agent reaches the panel, if that is another than the panel's. */
  readonly way?: (panel: TestPanel) => Promise<string>;
  /** Variables of the agent's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Starts a panel and an agent, and ends both after `use`.
 *
 * Fails when the agent has violated the contract or has written the token to its log.
 */
export async function withAgent(
  { panel: options = {}, args = [], runtime = [], env = {}, way }: Setup,
  use: (panel: TestPanel, agent: AgentProcess) => Promise<void>,
): Promise<void> {
  using panel = await startTestPanel({ token: TOKEN, ...options });
  const all = ["-e", await way?.(panel) ?? panel.url, "-t", TOKEN, "-i", "0.2", ...args];
  using home = new ShellHome();
  const isRemote = args.includes(REMOTE_CONTROL);
  const preload = isRemote ? [`--preload=${SHELL_HOME_PRELOAD}`] : [];
  await using agent = new AgentProcess(all, {
    runtime: [...runtime, ...preload],
    env: { TEST_SHELL_HOME: home.path, ...env },
  });
  await use(panel, agent);
  assertEquals(panel.state.violations, [], "the contract was kept");
  assertEquals(agent.output.includes(TOKEN), false, "the token is in no line");
  assertEquals(agent.output.includes(encodeURIComponent(TOKEN)), false, "nor its encoding");
}

/** Waits until the panel's state meets a condition, for a minute at most. */
export function until(
  panel: TestPanel,
  condition: (state: TestPanel["state"]) => boolean,
): Promise<void> {
  return panel.state.until(condition);
}

/** Waits for a report by this transport, which on a busy machine may not be the first. */
export async function reportsBy(panel: TestPanel, by: ReceivedBy): Promise<void> {
  await until(panel, ({ reports }) => reports.at(-1)?.by === by);
}
