import { assertEquals } from "@std/assert";
import { type ProgramOptions, Programs } from "../../lib/host/programs.ts";
import { orderedUpdate, updateObstacle, VersionSwitch } from "../../lib/remote/version_switch.ts";
import { VERSION } from "../../lib/version.ts";
import { cases, same } from "../cases.ts";
import { timed } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { configOf } from "../metrics/config_of.ts";
import { restoring } from "../restoring.ts";

/** Starts nothing, and remembers what it was asked for. */
class FakePrograms extends Programs {
  readonly started: { line: string; env: ProgramOptions["env"]; cwd: string }[] = [];
  readonly ended = Promise.withResolvers<boolean>();

  override cgroup(): string {
    return "0::/system.slice/agent.service\n";
  }

  override run(command: string, { args, env, cwd }: ProgramOptions): Promise<boolean> {
    this.started.push({ line: [command, ...args].join(" "), env, cwd });
    return this.ended.promise;
  }
}

const UPDATE = "systemctl start --no-block agent-update.service";
const UPDATING = "Updating to the latest version, as the panel has ordered";
const SOON =
  'Refused to switch to version "latest": an update was ordered within the last 10 minutes';

function order(versions: VersionSwitch, version = "latest"): void {
  versions.handle({ kind: "switch version", version });
}

/** The log's texts. */
const texts = (lines: readonly string[]) => lines.map((line) => line.split(" remote: ")[1]);

timed.test("VersionSwitch.handle() updates to the latest version alone, without the agent's secrets", async (time) => {
  // No option, since other tests may run in this process.
  Deno.env.set("AGENT_SECRET_OF_A_SWITCH", "a-secret");
  const orders = ["latest", "LATEST", "*", " latest ", "1.2.30", "1.2.*", "", "snapshot", VERSION];
  const obeyed = [];
  for (const version of orders) {
    const programs = new FakePrograms();
    const lines = await collectedLog(async () => {
      order(new VersionSwitch(programs), version);
      await time.run(0);
    });
    const isObeyed = programs.started.length > 0;
    if (isObeyed) obeyed.push(version);
    const refused =
      `Refused to switch to version "${version}": only the latest version can be installed`;
    assertEquals(texts(lines), [isObeyed ? UPDATING : refused]);
    for (const { line, env, cwd } of programs.started) {
      assertEquals([line, env["AGENT_SECRET_OF_A_SWITCH"], cwd], [UPDATE, undefined, "/"]);
    }
  }
  Deno.env.delete("AGENT_SECRET_OF_A_SWITCH");
  assertEquals(obeyed, orders.slice(0, 4));
});

timed.test("VersionSwitch.handle() refuses while an update runs, and for ten minutes after an order", async (time) => {
  const programs = new FakePrograms();
  const lines = await collectedLog(async () => {
    const versions = new VersionSwitch(programs);
    for (let count = 0; count < 100; count++) order(versions);
    time.tick(3_600_000);
    order(versions);
    assertEquals(programs.started.length, 1, "the first one still runs");
    programs.ended.resolve(true);
    await time.run(0);
    order(versions);
    await time.run(9 * 60_000);
    order(versions);
    await time.run(60_000);
    order(versions);
  });
  assertEquals(programs.started.length, 3);
  const more = `${SOON} (and 98 more since the last line)`;
  assertEquals(texts(lines), [UPDATING, SOON, more, UPDATING, SOON, UPDATING]);
});

timed.test("VersionSwitch.handle() logs each other refusal at once, and the same one once a minute", async (time) => {
  const lines = await collectedLog(() => {
    const versions = new VersionSwitch(new FakePrograms(), "it is pinned");
    for (const version of ["1", "1", "1", "latest", "1"]) {
      order(versions, version);
      time.tick(1_000);
    }
    time.tick(60_000);
    order(versions, "1");
    return Promise.resolve();
  });
  const inexact = '"1": only the latest version can be installed';
  const shown = texts(lines).map((line) => line?.replace("Refused to switch to version ", ""));
  assertEquals(shown, [inexact, '"latest": it is pinned', inexact, inexact]);
});

timed.test("VersionSwitch.handle() says which command has failed", async (time) => {
  const programs = new FakePrograms();
  const lines = await collectedLog(async () => {
    order(new VersionSwitch(programs));
    programs.ended.resolve(false);
    await time.run(0);
  });
  assertEquals(texts(lines), [UPDATING, `The update failed: run "${UPDATE}" to see why`]);
});

Deno.test("updateObstacle() says what brings a newer version, or that none is wanted", () => {
  const rows: [string[], string][] = [
    [["--disable-auto-update"], "--disable-auto-update is set"],
    [["--pin"], "--pin is set"],
  ];
  const obstacle = (flags: string[]) => updateObstacle(configOf(flags));
  same(obstacle, [...rows, [[], "this program runs from its sources"]]);
  const { statSync } = Deno;
  using _ = restoring(Deno, "statSync");
  Deno.statSync = () => statSync(new URL(import.meta.url));
  same(obstacle, [...rows, [[], "in a container a newer version comes with a newer image"]]);
});

const USER = "user.slice/user-1000.slice/user@1000.service";

/** Cgroups, and the command that updates. */
const CGROUPS = `
0::/system.slice/agent.service → ${UPDATE}
12:pids:/system.slice/agent.service;1:name=systemd:/system.slice/agent.service → ${UPDATE}
0::/${USER}/app.slice/agent.service → systemctl --user start --no-block agent-update.service
0::/ → /p update --now
0::/user.slice/user-0.slice/session-3.scope → /p update --now
0::/system.slice/docker-0123.scope → /p update --now
0::/openrc.agent → /p update --now
`;

Deno.test("orderedUpdate() starts the unit of the service manager in each kind of cgroup, else the program", () => {
  same((cgroup: string) => {
    return orderedUpdate(cgroup.replaceAll(";", "\n"), "/p").join(" ");
  }, cases(CGROUPS));
  assertEquals(orderedUpdate("", "/p"), ["/p", "update", "--now"]);
});
