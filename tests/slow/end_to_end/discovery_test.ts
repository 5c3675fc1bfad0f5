import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { panelFault } from "../../test_panel/faults.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";

const KEY = "d1scovery-k3y";

/** Where the runtime keeps what the agent imports, although its home is another. */
const DENO_DIR = Deno.env.get("DENO_DIR") ??
  `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/deno`;

/** A panel at which agents can register, and a folder for the state; both are gone afterwards. */
class Place implements Disposable {
  readonly panel: TestPanel;
  readonly folder = Deno.makeTempDirSync({ prefix: "discovery-" });
  readonly state = `${this.folder}/state`;

  private constructor(panel: TestPanel) {
    this.panel = panel;
  }

  static async open(): Promise<Place> {
    return new Place(await startTestPanel({ discoveryKey: KEY }));
  }

  agent(...args: string[]): AgentProcess {
    const common = ["-e", this.panel.url, "-i", "0.2", "--state-dir", this.state];
    return new AgentProcess([...common, ...args], { env: { HOME: this.folder, DENO_DIR } });
  }

  /** Waits for a report that comes from now on. */
  async report(): Promise<void> {
    const { reports } = this.panel.state.counts;
    await this.panel.state.until(({ counts }) => counts.reports > reports);
  }

  [Symbol.dispose](): void {
    assertEquals(this.panel.state.violations, []);
    this.panel.close();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** Words of a panel that the agent tells in its log. */
function notice(message: string): string {
  return JSON.stringify({ jsonrpc: "2.0", method: "agent.message", params: { message } });
}

Deno.test("an agent with a key registers once, and is the same node after each restart", async () => {
  using place = await Place.open();
  for (let run = 0; run < 3; run++) {
    await using agent = place.agent("--auto-discovery", KEY);
    await agent.says("First report accepted");
    const [{ token } = { token: "" }] = place.panel.registrations;
    place.panel.sendRaw(notice(`It is ${token}!`));
    await agent.says(`The panel says: {"message":"It is …!"}`);
    await place.report();
    // The last thing that it does before it is killed is to report.
    await agent.stop(run === 0 ? "SIGKILL" : "SIGTERM");
    const [node] = place.panel.registrations;
    assert(node !== undefined);
    assertEquals(place.panel.registrations.length, 1, agent.output);
    assertEquals(node.name, `Auto-${Deno.hostname()}`);
    assertEquals(
      agent.lines(`Registered at the panel as node ${node.uuid}`).length,
      1 - Math.min(run, 1),
    );
    assertEquals(
      agent.output.includes(node.token) || agent.output.includes(KEY),
      false,
      "no secret",
    );
  }
  const file = `${place.state}/auto-discovery.state`;
  assertEquals((Deno.statSync(file).mode ?? 0) & 0o777, 0o600);
});

Deno.test("an agent with a key takes over the node of an official agent, if the panel knows it", async () => {
  using place = await Place.open();
  const folder = `${place.folder}/.local/share/komari`;
  Deno.mkdirSync(folder, { recursive: true });
  const leave = (token: string) =>
    Deno.writeTextFileSync(`${folder}/auto-discovery.json`, JSON.stringify({ uuid: "u", token }));
  leave(place.panel.token);
  await using known = place.agent("--auto-discovery", KEY);
  await known.says("Imported the node of the official agent");
  await place.report();
  await known.stop();
  assertEquals(place.panel.registrations, []);
  assertEquals(known.output.includes(place.panel.token), false, "no secret");

  Deno.removeSync(place.state, { recursive: true });
  leave("forgotten");
  await using strange = place.agent("--auto-discovery", KEY);
  await strange.says("Ignored the node of the official agent in ");
  await strange.says("First report accepted");
  assertEquals(place.panel.registrations.length, 1);
});

Deno.test("an agent goes on trying to register, tells of it once, and ends at once when it is to", async () => {
  using place = await Place.open();
  await place.panel.setFault(panelFault("server-error"));
  await using agent = place.agent("--auto-discovery", KEY);
  await agent.says("Cannot register: ");
  await place.panel.state.until(({ counts }) => counts.calls >= 2);
  // The next call is the other one's.
  assertEquals((await agent.stop()).code, 0, agent.output);
  assertEquals(agent.lines("Cannot register: ").length, 1, agent.output);
  assertStringIncludes(agent.lines("Cannot register: ")[0] ?? "", "502");
  await place.panel.setFault(panelFault("silence"));
  await using other = place.agent("--auto-discovery", KEY, "--state-dir", `${place.folder}/other`);
  const { calls } = place.panel.state.counts;
  await place.panel.state.until(({ counts }) => counts.calls > calls);
  await other.stopsAtOnce();
});
