import { assertLess } from "@std/assert";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { randomNet } from "../live/network_namespace.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";

const TOKEN = "l0st-netw0rk";
const NETWORK = randomNet();
const PANEL_SIDE = `${NETWORK}.1`;
const AGENT_SIDE = `${NETWORK}.2`;
const NEW_ADDRESS = `${NETWORK}.3`;

function ip(...args: string[]): boolean {
  try {
    return new Deno.Command("ip", { args, stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** A network namespace of its own for the agent, and a cable to it that can be pulled. */
class Cable implements Disposable {
  readonly namespace: string = `agent-${crypto.randomUUID().slice(0, 8)}`;
  readonly #near = `ka${this.namespace.slice(-8)}`;
  readonly #far = `kb${this.namespace.slice(-8)}`;
  readonly laid: boolean;

  constructor() {
    this.laid = ip("netns", "add", this.namespace) &&
      ip("link", "add", this.#near, "type", "veth", "peer", "name", this.#far) &&
      ip("link", "set", this.#far, "netns", this.namespace) &&
      ip("addr", "add", `${PANEL_SIDE}/24`, "dev", this.#near) &&
      ip("link", "set", this.#near, "up") &&
      this.#within("addr", "add", `${AGENT_SIDE}/24`, "dev", this.#far) &&
      this.#within("link", "set", this.#far, "up") &&
      this.#within("link", "set", "lo", "up");
    if (!this.laid) this[Symbol.dispose]();
  }

  /** Nobody is told: what is sent from now on is lost. */
  pull(): void {
    ip("link", "set", this.#near, "down");
  }

  plug(): void {
    ip("link", "set", this.#near, "up");
  }

  changeAddress(): void {
    this.#within("addr", "flush", "dev", this.#far);
    this.#within("addr", "add", `${NEW_ADDRESS}/24`, "dev", this.#far);
  }

  [Symbol.dispose](): void {
    ip("link", "del", this.#near);
    ip("netns", "del", this.namespace);
  }

  #within(...args: string[]): boolean {
    return ip("-n", this.namespace, ...args);
  }
}

/** Leads from the cable's end to the panel on loopback. */
async function lead(listener: Deno.Listener, port: number): Promise<void> {
  for await (const client of listener) {
    const server = await Deno.connect({ hostname: "127.0.0.1", port });
    client.readable.pipeTo(server.writable).catch(() => {});
    server.readable.pipeTo(client.writable).catch(() => {});
  }
}

async function withCable(
  use: (panel: TestPanel, cable: Cable, agent: AgentProcess) => Promise<void>,
): Promise<void> {
  using cable = new Cable();
  const panel = await startTestPanel({ token: TOKEN });
  const listener = Deno.listen({ hostname: PANEL_SIDE, port: 0 });
  const leading = lead(listener, panel.port).catch(() => {});
  try {
    const endpoint = `http://${PANEL_SIDE}:${listener.addr.port}`;
    await using agent = new AgentProcess(["-e", endpoint, "-t", TOKEN, "-i", "1"], {
      through: ["ip", "netns", "exec", cable.namespace],
    });
    await agent.says("First report accepted, by v2 WebSocket");
    await use(panel, cable, agent);
  } finally {
    listener.close();
    await leading;
    panel.close();
  }
}

/** Seconds until reports come again. */
async function secondsUntilBack(panel: TestPanel): Promise<number> {
  const sinceMs = performance.now();
  const { reports } = panel.state.counts;
  await panel.state.until(({ counts }) => counts.reports > reports + 1, {
    signal: AbortSignal.timeout(90_000),
  });
  return (performance.now() - sinceMs) / 1000;
}

/** Whether this test may make networks; asked once, by making one. */
const mayLay = (() => {
  using cable = new Cable();
  return cable.laid;
})();
const needed = mayLay ? "" : " (skipped: it needs root, ip and network namespaces)";

for (
  const [what, change] of [
    ["the network was gone", () => {}],
    ["the network was gone and the address has changed", (cable: Cable) => cable.changeAddress()],
  ] as const
) {
  Deno.test({
    name: `a dead link is back soon after ${what}${needed}`,
    ignore: !mayLay,
    async fn() {
      await withCable(async (panel, cable, agent) => {
        cable.pull();
        await agent.says("no answer within");
        change(cable);
        cable.plug();
        const seconds = await secondsUntilBack(panel);
        console.log(`lost network: reports are back ${seconds.toFixed(1)} s after it is (aim: 15)`);
        assertLess(seconds, 45);
        assertLess(agent.lines("panel:").length, 8, `few lines:\n${agent.output}`);
      });
    },
  });
}
