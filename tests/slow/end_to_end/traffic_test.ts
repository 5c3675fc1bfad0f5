import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { type CableLead, leadToPanel } from "../live/cable_lead.ts";
import { canMakeNetworks, NetworkNamespace } from "../live/network_namespace.ts";

const GIB = 1024 ** 3;

const TOKEN = "t0k-e/n";

const needed = canMakeNetworks() ? "" : " (skipped: it needs root, ip, bash, veth and bridge)";

/** The interface of a place, by which nothing goes but what its agent and its test send. */
const NIC = "eth0";

/**
 * A panel, a network with a cable to it, and a folder for the state; all of it is gone afterwards. The
 * loopback interface of this machine would count what other tests send.
 */
class Place implements AsyncDisposable {
  readonly panel: TestPanel;
  readonly folder = Deno.makeTempDirSync({ prefix: "month-" });
  readonly state = `${this.folder}/state`;
  readonly #network: NetworkNamespace;
  readonly #lead: CableLead;

  private constructor(panel: TestPanel) {
    this.panel = panel;
    this.#network = new NetworkNamespace();
    this.#lead = leadToPanel(this.#network, { name: NIC, port: panel.port });
  }

  static async open(): Promise<Place> {
    return new Place(await startTestPanel({ token: TOKEN }));
  }

  /** An agent that counts the month: what it sends itself is traffic. */
  agent(...args: string[]): AgentProcess {
    const common = ["-e", this.#lead.url, "-t", TOKEN, "-i", "0.2", "--include-nics", NIC];
    return new AgentProcess(
      [...common, "--month-rotate", "1", "--state-dir", this.state, ...args],
      { through: this.#network.enter },
    );
  }

  /** What `traffic …` says. */
  async traffic(...args: string[]): Promise<{ code: number; output: string }> {
    const through = this.#network.enter;
    await using process = new AgentProcess(["traffic", ...args, "--state-dir", this.state], {
      through,
    });
    const { code } = await process.ends();
    return { code, output: process.output };
  }

  /** Sends a megabyte to nobody. */
  send(): void {
    this.#network.send(1000, this.#lead.nobody);
  }

  /** The totals of a report that comes from now on. */
  async totals(): Promise<{ up: number; down: number }> {
    const { reports } = this.panel.state.counts;
    await this.panel.state.until(({ counts }) => counts.reports >= reports + 2);
    const network = this.panel.state.reports.at(-1)?.value.network;
    return { up: network?.totalUp ?? NaN, down: network?.totalDown ?? NaN };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    assertEquals(this.panel.state.violations, []);
    await this.#lead[Symbol.asyncDispose]();
    this.#network[Symbol.dispose]();
    this.panel.close();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** A test in a network of its own. */
function test(name: string, fn: (place: Place) => Promise<void>): void {
  Deno.test({
    name: name + needed,
    ignore: needed !== "",
    async fn() {
      await using place = await Place.open();
      await fn(place);
    },
  });
}

test("traffic set is taken over by a running, sealed agent, which keeps the month when it is killed", async (place) => {
  await using first = place.agent();
  await first.says("this process is sealed by");
  await place.totals();
  const set = await place.traffic("set", "--up", "5GiB", "--down", "7GiB");
  assertEquals(set.code, 0, set.output);
  assertMatch(set.output, /^The running agent uses these totals/);
  assertMatch(set.output, /^Up +5\.0 GiB/m);
  assertEquals(first.lines("The month's traffic was set: up 5.0 GiB, down 7.0 GiB").length, 1);
  const { up, down } = await place.totals();
  assert(up >= 5 * GIB && up < 5.1 * GIB && down >= 7 * GIB, `${up}, ${down}`);
  const other = await place.traffic("set", "--up", "1GiB", "--month-rotate", "20");
  assertEquals(other.code, 2);
  assertStringIncludes(other.output, "the running agent resets it on day 1;");
  const json = await place.traffic("set", "--down", "8GiB", "--json");
  const { setBy, down: downShown } = JSON.parse(json.output);
  assert(setBy === "agent" && downShown >= 8 * GIB, json.output);
  // As an agent of an older version has it.
  Deno.removeSync(`${place.state}/month.request`);
  const refused = await place.traffic("set", "--up", "1GiB");
  assertEquals(refused.code, 1);
  assertMatch(refused.output, /^Cannot set the month's traffic: an agent uses .*; stop it first/);
  await first.stop("SIGKILL");

  place.send();
  await using second = place.agent();
  await second.says("Continuing the month's traffic: up 5.");
  const later = await place.totals();
  assertLess(up + 1_000_000, later.up, "what passed while no agent ran is counted too");
  await second.stopsAtOnce();

  const shown = await place.traffic("show", "--json");
  const { up: upShown, interfaces, isRunning, since } = JSON.parse(shown.output);
  assert(upShown >= later.up && upShown < 5.1 * GIB, shown.output);
  assertEquals([interfaces, isRunning], [[NIC], false]);
  assertMatch(since, /^\d{4}-\d{2}-01$/);
});

test("traffic set by root leaves nothing that the agent's own user can't read", async (place) => {
  const nobody = 65534;
  Deno.chmodSync(place.folder, 0o711);
  Deno.mkdirSync(place.state, { mode: 0o700 });
  Deno.chownSync(place.state, nobody, nobody);
  const options = ["--up", "3GiB", "--month-rotate", "1", "--include-nics", NIC];
  for (let times = 0; times < 2; times++) {
    const { code, output } = await place.traffic("set", ...options);
    assertEquals(code, 0, output);
  }
  const owners = Array.from(Deno.readDirSync(place.state), ({ name }) => {
    return [name, Deno.statSync(`${place.state}/${name}`).uid];
  }).sort();
  assertEquals(owners, [["lock", nobody], ["month.state", nobody]]);
});

test("a damaged state is told, the one before is used, and a second agent only counts along", async (place) => {
  await place.traffic("set", "--up", "3GiB", "--month-rotate", "1", "--include-nics", NIC);
  await place.traffic("set", "--up", "4GiB");
  damageNewest(`${place.state}/month.state`);
  await using first = place.agent();
  await first.says("Continuing the month's traffic: up 3.");
  assertEquals(first.lines("month.state is damaged, and an older state is used").length, 1);
  await using second = place.agent();
  await second.says("another agent uses");
  await second.says("Continuing the month's traffic: up 3.");
  assertEquals((await second.stop()).code, 0);
  assertEquals((await first.stop()).code, 0);
});

/** Changes a byte of the text that was written second. */
function damageNewest(path: string): void {
  const bytes = Deno.readFileSync(path);
  const header = new TextDecoder("latin1").decode(bytes).indexOf("komari-agent-state-1 2 ");
  bytes[header + 60] = (bytes[header + 60] ?? 0) ^ 1;
  Deno.writeFileSync(path, bytes);
}

test("the agent reports on without a place for the month, and takes over the official count", async (place) => {
  Deno.writeTextFileSync(place.state, "a file where the folder should be");
  await using agent = place.agent();
  await agent.says("The month's traffic can't be kept: ");
  await place.totals();
  assertEquals((await agent.stop()).code, 0);

  Deno.removeSync(place.state);
  Deno.mkdirSync(place.state);
  const now = Math.floor(Date.now() / 1000);
  const entries = [{ timestamp: now, tx: 2 * GIB, rx: GIB }, { timestamp: 1, tx: 5, rx: 5 }];
  Deno.writeTextFileSync(
    `${place.state}/net_static.json`,
    JSON.stringify({ interfaces: { [NIC]: entries, eth9: entries }, config: {} }),
  );
  for (
    const words of ["Imported the month's traffic", "Continuing the month's traffic: up 2.0 GiB"]
  ) {
    await using agent = place.agent();
    await agent.says(words);
    await place.totals();
    assertEquals(agent.lines("Imported").length, words.startsWith("Imported") ? 1 : 0);
    assertEquals((await agent.stop()).code, 0);
  }
});
