import { assert, assertEquals } from "@std/assert";
import { panelFault } from "../../test_panel/faults.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { isAlive } from "../../exists.ts";
import { eventually } from "../../remote/processes_below.ts";
import { TempFolder } from "../../temp_folder.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";

const TOKEN = "t0k-e/n+&";

/** A panel and an agent that reports to it; both are gone afterwards, whatever happens. */
async function withAgent(
  options: { args?: readonly string[]; env?: Record<string, string> },
  use: (panel: TestPanel, agent: AgentProcess) => Promise<void>,
): Promise<void> {
  using panel = await startTestPanel({ token: TOKEN });
  const args = ["-e", `${panel.url}/`, "-t", TOKEN, "-i", "0.2", ...options.args ?? []];
  await using agent = new AgentProcess(args, { env: options.env ?? {} });
  await use(panel, agent);
  assertEquals(panel.state.violations, [], "the contract was kept");
  assertEquals(agent.output.includes(TOKEN), false, "the token is in no line");
  assertEquals(agent.output.includes(encodeURIComponent(TOKEN)), false, "in no spelling");
}

Deno.test("the agent ends at once while the panel keeps it waiting", async () => {
  await withAgent({}, async (panel, agent) => {
    await panel.state.until(({ counts }) => counts.reports >= 1);
    await panel.setFault(panelFault("silence"));
    const { connections } = panel.state.counts;
    await panel.state.until(({ counts }) => counts.connections > connections);
    await agent.stopsAtOnce();
  });
});

Deno.test("the agent reports, and ends at once, while nobody reads its log", async () => {
  using panel = await startTestPanel({ token: TOKEN });
  using folder = new TempFolder();
  // It is its own reader, and full.
  const stuck = 'mkfifo "$0" && exec 2<>"$0" && head -c 65536 /dev/zero >&2 && exec "$@"';
  await using agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "0.2"], {
    through: ["sh", "-c", stuck, `${folder.path}/log`],
  });
  await panel.state.until(({ counts }) => counts.reports >= 3);
  await agent.stopsAtOnce();
});

Deno.test("the agent leaves no process behind, not even when it is killed", async () => {
  await withAgent({}, async (panel, agent) => {
    await panel.state.until(({ counts }) => counts.reports >= 1);
    await agent.says("this process is sealed by");
    const [shell] = childrenOf(agent.pid);
    assert(shell !== undefined, "the shell for ping runs");
    await agent.stop("SIGKILL");
    await eventually(() => !isAlive(shell), () => "the shell outlives the agent");
  });
});

function childrenOf(pid: number): number[] {
  const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
  return text.split(" ").filter((word) => word !== "").map(Number);
}
