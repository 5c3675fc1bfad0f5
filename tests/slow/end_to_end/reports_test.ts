import { assert, assertEquals } from "@std/assert";
import type { WireTask } from "../../../lib/demo/panel_state.ts";
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
    await eventually(() => !isAlive(shell), { told: () => "the shell outlives the agent" });
  });
});

Deno.test("the agent runs the panel's probes and delivers each result", async () => {
  const probe = (id: number, type: WireTask["type"], target: string): WireTask => {
    return { id, name: type, type, target, interval: 1 };
  };
  using panel = await startTestPanel({ token: TOKEN });
  panel.state.tasks = [
    probe(1, "icmp", "127.0.0.1"),
    probe(2, "tcp", `127.0.0.1:${panel.port}`),
    probe(3, "http", `${panel.url}/`),
    probe(4, "tcp", "-f"),
  ];
  await using agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "1"]);
  const taskIds = () => new Set(panel.state.pingResults.map(({ value }) => value.taskId));
  await panel.state.until(() => taskIds().size === 4);
  const valueOf = (id: number) =>
    panel.state.pingResults.find(({ value }) => value.taskId === id)?.value.valueMs;
  assert(Number(valueOf(2)) >= 0, "TCP");
  assert(Number(valueOf(3)) >= 0, "HTTP");
  assertEquals(valueOf(4), -1, "a target that begins with a dash is refused");
  const says = agent.lines("install iputils-ping").length + agent.lines("may not open").length;
  if (says === 0) assert(Number(valueOf(1)) >= 0, "ICMP");
  else assertEquals([says, valueOf(1)], [1, -1], "without ping it is lost, and said once");
  assertEquals(panel.state.violations, []);
});

function childrenOf(pid: number): number[] {
  const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
  return text.split(" ").filter((word) => word !== "").map(Number);
}
