import { assertLess } from "@std/assert";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { type CableLead, leadToPanel } from "../live/cable_lead.ts";
import { canMakeNetworks, NetworkNamespace } from "../live/network_namespace.ts";
import { UndisturbedTime } from "../../undisturbed_time.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";

const TOKEN = "l0st-netw0rk";
const NIC = "eth0";

/** What the agent has lost. */
interface Lost {
  readonly panel: TestPanel;
  readonly agent: AgentProcess;
  readonly network: NetworkNamespace;
  readonly lead: CableLead;
}

/** An agent in a network of its own, with a cable to its panel. */
async function withCable(use: (lost: Lost) => Promise<void>): Promise<void> {
  using panel = await startTestPanel({ token: TOKEN });
  using network = new NetworkNamespace();
  await using lead = leadToPanel(network, { name: NIC, port: panel.port });
  await using agent = new AgentProcess(["-e", lead.url, "-t", TOKEN, "-i", "1"], {
    through: network.enter,
  });
  await agent.says("First report accepted, by v2 WebSocket");
  await use({ panel, agent, network, lead });
}

/** Seconds until reports come again, without those in which the agent has no processor. */
async function secondsUntilBack({ panel, agent }: Lost): Promise<number> {
  const time = new UndisturbedTime(agent.pid);
  const { reports } = panel.state.counts;
  await panel.state.until(({ counts }) => counts.reports > reports + 1);
  return time.ms / 1000;
}

const needed = canMakeNetworks() ? "" : " (skipped: it needs root, ip, veth and bridge)";

Deno.test({
  name: `a dead link is back soon after the network was gone and the address has changed${needed}`,
  ignore: needed !== "",
  async fn() {
    await withCable(async (lost) => {
      const { agent, network, lead } = lost;
      lead.pull();
      await agent.says("Cannot report: ");
      network.ip("addr", "flush", "dev", NIC);
      network.ip("addr", "add", `${lead.other}/24`, "dev", NIC);
      lead.plug();
      const seconds = await secondsUntilBack(lost);
      console.log(`lost network: reports are back ${seconds.toFixed(1)} s after it is (aim: 15)`);
      assertLess(seconds, 45);
      assertLess(agent.lines("panel:").length, 8, `few lines:\n${agent.output}`);
    });
  },
});
