import { assertEquals } from "@std/assert";
import { type ProgramOptions, Programs } from "../../lib/host/programs.ts";
import { orderedUpdate, updateObstacle, VersionSwitch } from "../../lib/remote/version_switch.ts";
import { VERSION } from "../../lib/version.ts";
import { cases, same, sameLater } from "../cases.ts";
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
const SOON = '"latest": an update was ordered within the last 10 minutes';
const INEXACT = "only the latest version can be installed";

/** What a version switch logs that a test uses. */
async function logOf(
  use: (order: (...versions: string[]) => void, programs: FakePrograms) => Promise<void> | void,
  obstacle?: string,
): Promise<string[]> {
  const programs = new FakePrograms();
  const versions = new VersionSwitch(programs, obstacle);
  const order = (...orders: string[]) => {
    for (const version of orders) versions.handle({ kind: "switch version", version });
  };
  const lines = await collectedLog(async () => await use(order, programs));
  return lines.map((line) => line.split(/ remote: (?:Refused to switch to version )?/)[1] ?? "");
}

timed.test("VersionSwitch.handle() updates to the latest version alone, without the agent's secrets", async (time) => {
  using _ = restoring(Deno.env, "toObject");
  Deno.env.toObject = () => ({ AGENT_TOKEN: "a-secret" });
  const outcome = (version: string) =>
    logOf(async (order, { started }) => {
      order(version);
      await time.run(0);
      for (const { line, env, cwd } of started) {
        assertEquals([line, env["AGENT_TOKEN"], cwd], [UPDATE, undefined, "/"]);
      }
    });
  await sameLater(outcome, [
    ...["latest", "LATEST", "*", " latest "].map((it) => [it, [UPDATING]] as const),
    ...["1.2.30", "1.2.*", "", "snapshot", VERSION].map((it) =>
      [it, [`"${it}": ${INEXACT}`]] as const
    ),
  ]);
});

timed.test("VersionSwitch.handle() refuses while an update runs, and for ten minutes after an order", async (time) => {
  const lines = await logOf(async (order, { started, ended }) => {
    order(...Array(100).fill("latest"));
    time.tick(3_600_000);
    order("latest");
    assertEquals(started.length, 1, "the first one still runs");
    ended.resolve(true);
    await time.run(0);
    order("latest");
    await time.run(9 * 60_000);
    order("latest");
    await time.run(60_000);
    order("latest");
    assertEquals(started.length, 3);
  });
  const more = `${SOON} (and 98 more since the last line)`;
  assertEquals(lines, [UPDATING, SOON, more, UPDATING, SOON, UPDATING]);
});

timed.test("VersionSwitch.handle() logs each other refusal at once, and the same one once a minute", async (time) => {
  const lines = await logOf((order) => {
    order("1", "1", "1", "latest", "1");
    time.tick(60_000);
    order("1");
  }, "it is pinned");
  const inexact = `"1": ${INEXACT}`;
  assertEquals(lines, [inexact, '"latest": it is pinned', inexact, inexact]);
});

timed.test("VersionSwitch.handle() says which command has failed", async (time) => {
  const lines = await logOf(async (order, { ended }) => {
    order("latest");
    ended.resolve(false);
    await time.run(0);
  });
  assertEquals(lines, [UPDATING, `The update failed: run "${UPDATE}" to see why`]);
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
