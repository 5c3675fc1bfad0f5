import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { buildPortable } from "../../../build/portable.ts";
import { patience } from "../../patience.ts";
import { realDeadline } from "../../real_deadline.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { ReleaseServer } from "../../update/release_server.ts";
import { writeFastDeno } from "../fast_deno.ts";
import { SupervisedAgent } from "./supervised_agent.ts";

const TOKEN = "t0ken-of-the-node";

/** Two versions of the program; a portable build is run as a compiled one is. */
const BUILDS = {
  folder: Deno.makeTempDirSync({ prefix: "builds-" }),
  found: new Map<string, Uint8Array<ArrayBuffer>>(),
};
globalThis.addEventListener("unload", () => Deno.removeSync(BUILDS.folder, { recursive: true }));

async function build(version: string): Promise<Uint8Array<ArrayBuffer>> {
  const found = BUILDS.found.get(version);
  if (found !== undefined) return found;
  const building = buildPortable({ version, folder: BUILDS.folder });
  const bytes = await Deno.readFile(await realDeadline(building));
  BUILDS.found.set(version, bytes);
  return bytes;
}

/** A machine with version 1.2.3, a panel, and a server of releases; all of it is gone afterwards. */
class Place implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync({ prefix: "update-" });
  readonly path = `${this.folder}/komari-agent-deno`;
  readonly releases = new ReleaseServer();
  readonly panel: TestPanel;

  private constructor(panel: TestPanel) {
    this.panel = panel;
  }

  static async open(version = "1.2.3"): Promise<Place> {
    const place = new Place(await startTestPanel({ token: TOKEN }));
    await Deno.writeFile(place.path, await build(version), { mode: 0o755 });
    return place;
  }

  get env(): Record<string, string> {
    return {
      NO_COLOR: "1",
      DENO: Deno.execPath(),
      RUNTIME_DIRECTORY: `${this.folder}/run`,
      AGENT_IP_SERVICES: "off",
      AGENT_UPDATE_URL: this.releases.url,
      AGENT_UPDATE_KEY: this.releases.keys.publicKey,
      AGENT_TOKEN: TOKEN,
    };
  }

  agent(): SupervisedAgent {
    const args = ["-e", this.panel.url, "-i", "0.2"];
    return new SupervisedAgent(this.path, { args, env: this.env });
  }

  /** What a version leaves that can't run: nobody waits for its report then. */
  get failed(): string {
    return `${this.folder}/failed`;
  }

  async update(...args: string[]): Promise<{ code: number; output: string; told: string }> {
    const { code, stdout, stderr } = await new Deno.Command(this.path, {
      args: ["update", ...args],
      env: {
        ...this.env,
        DENO: await writeFastDeno("quick_timers", { folder: BUILDS.folder }),
        QUICK_WHEN: `test -e ${this.failed}`,
      },
      signal: patience(),
    }).output();
    const decoder = new TextDecoder();
    return { code, output: decoder.decode(stdout), told: decoder.decode(stderr) };
  }

  /** Waits until an agent of this version has told the panel its basic info and reports. */
  async reportsAs(version: string): Promise<void> {
    const known = this.panel.state.basicInfos.length;
    await this.panel.state.until(({ basicInfos }) =>
      basicInfos.slice(Math.min(known, basicInfos.length - 1)).some(({ value }) =>
        value.version === version
      )
    );
    const { reports } = this.panel.state.counts;
    await this.panel.state.until(({ counts }) => counts.reports > reports);
  }

  names(): string[] {
    return Array.from(Deno.readDirSync(this.folder), ({ name }) => name).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    assertEquals(this.panel.state.violations, []);
    this.panel.close();
    await this.releases[Symbol.asyncDispose]();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

Deno.test("update takes a newer version, and the panel sees it", async () => {
  await using place = await Place.open();
  await using agent = place.agent();
  await place.reportsAs("1.2.3");
  place.releases.publish("1.2.3", await build("1.2.3"));
  const same = await place.update("--now");
  assertEquals(same.code, 0, same.told);
  assertMatch(same.output, /^Version 1\.2\.3 is up to date: the latest release is 1\.2\.3/);

  place.releases.publish("1.3.0", await build("1.3.0"));
  const check = await place.update("--check", "--json");
  assertEquals(JSON.parse(check.output), { present: "1.2.3", newest: "1.3.0", verdict: "newer" });
  assertEquals(agent.ends, [], "looking changes nothing");

  const taken = await place.update("--now");
  assertEquals(taken.code, 0, taken.told);
  assertEquals(taken.output, "Updated from version 1.2.3 to 1.3.0, which reports\n");
  assertEquals(agent.ends, [75]);
  await place.reportsAs("1.3.0");
  assertEquals(place.names(), [
    ...["komari-agent-deno", "komari-agent-deno.old", "komari-agent-deno.update", "run"],
  ]);
  assertEquals(taken.told.includes(TOKEN), false);
  assertMatch(taken.told, /update: The panel accepts reports of version 1\.3\.0/);
});

Deno.test("update goes back when the new version never reports", async () => {
  await using place = await Place.open();
  await using agent = place.agent();
  await place.reportsAs("1.2.3");
  const broken = `#!/bin/sh\n[ "$1" = version ] && echo '{"version": "1.3.0"}' && exit\n` +
    `touch ${place.failed}; exit 9\n`;
  place.releases.publish("1.3.0", broken);
  const { code, output, told } = await place.update("--now", "--json");
  assertEquals(code, 1, told);
  assertEquals(JSON.parse(output), { outcome: "rolled back", from: "1.2.3", to: "1.3.0" });
  await place.reportsAs("1.2.3");
  assert(agent.ends.includes(9), agent.ends.join());
  const again = await place.update("--check");
  assertStringIncludes(
    again.output,
    "Version 1.3.0 is available, but failed on this machine within a week",
  );
});
