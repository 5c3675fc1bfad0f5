import { assert, assertEquals } from "@std/assert";
import { type ProgramOptions, Programs } from "../../lib/host/programs.ts";
import { thisProgram } from "../../lib/host/this_program.ts";
import { updateArguments, updateObstacle, VersionSwitch } from "../../lib/remote/version_switch.ts";
import { VERSION } from "../../lib/version.ts";
import { sameLater } from "../cases.ts";
import { timed } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { configOf } from "../metrics/config_of.ts";
import { restoring } from "../restoring.ts";

// No option, since other tests may run in this process.
const SECRET = "AGENT_SECRET_OF_A_SWITCH";
Deno.test.beforeAll(() => Deno.env.set(SECRET, "a-secret"));
Deno.test.afterAll(() => Deno.env.delete(SECRET));

/** Starts nothing, and remembers what it was asked for. */
class FakePrograms extends Programs {
  readonly lines: string[] = [];
  readonly ended = Promise.withResolvers<boolean>();

  constructor(readonly cgroupText = "") {
    super();
  }

  override cgroup(): string {
    return this.cgroupText;
  }

  override run(command: string, { args, env, cwd }: ProgramOptions): Promise<boolean> {
    this.lines.push([command, ...args].join(" "));
    assertEquals([env[SECRET], cwd], [undefined, "/"]);
    return this.ended.promise;
  }
}

function latest(versions: VersionSwitch): void {
  versions.handle({ kind: "switch version", version: "latest" });
}

timed.test("VersionSwitch.handle() updates to the latest version, one order at a time", async (time) => {
  const programs = new FakePrograms();
  const lines = await collectedLog(async () => {
    const versions = new VersionSwitch(programs);
    for (let count = 0; count < 100; count++) latest(versions);
    time.tick(3_600_000);
    // Still the same one.
    latest(versions);
    assertEquals(programs.lines.length, 1);
    programs.ended.resolve(true);
    await Promise.resolve();
    await Promise.resolve();
    latest(versions);
    latest(versions);
  });
  assertEquals(programs.lines, Array(2).fill(`${thisProgram().path} update --now`));
  // Two updates, and twice that an order is ignored, which is said once a minute.
  assertEquals(lines.length, 4, lines.join("\n"));
});

timed.test("VersionSwitch.handle() says that an order within ten minutes is ignored", async (time) => {
  const programs = new FakePrograms();
  programs.ended.resolve(true);
  const lines = await collectedLog(async () => {
    const versions = new VersionSwitch(programs);
    latest(versions);
    await time.run(9 * 60_000);
    for (let count = 0; count < 100; count++) latest(versions);
    await time.run(60_000);
    latest(versions);
  });
  assertEquals(programs.lines.length, 2);
  assertEquals(lines.length, 3);
  const words = 'Ignored an order to switch to version "latest": the last one came 9 min ago';
  assert(lines[1]?.endsWith(words), lines[1]);
});

timed.test("VersionSwitch.handle() logs each other refusal at once, and the same one once a minute", async (time) => {
  const programs = new FakePrograms();
  const lines = await collectedLog(() => {
    const versions = new VersionSwitch(programs);
    for (const version of [VERSION, VERSION, VERSION, "snapshot", VERSION]) {
      versions.handle({ kind: "switch version", version });
      time.tick(1_000);
    }
    time.tick(60_000);
    versions.handle({ kind: "switch version", version: VERSION });
    versions.handle({ kind: "switch version", version: VERSION });
    time.tick(60_000);
    versions.handle({ kind: "switch version", version: VERSION });
    return Promise.resolve();
  });
  const again = `"${VERSION}": it is installed already`;
  assertEquals(lines.map((line) => line.replace(/.* version (?=")/, "")), [
    again,
    '"snapshot": only the latest version, or one by its exact name, can be installed',
    again,
    again,
    `${again} (and 1 more since the last line)`,
  ]);
});

/** What an order does: what is started behind `update`, or the reason in the log. */
async function outcomeOf(
  [version, options]: [version: string, options?: ConstructorParameters<typeof VersionSwitch>[1]],
): Promise<string> {
  const programs = new FakePrograms();
  programs.ended.resolve(true);
  const [line = "", ...more] = await collectedLog(async () => {
    new VersionSwitch(programs, options).handle({ kind: "switch version", version });
    await new Promise((turn) => setTimeout(turn, 0));
  });
  assertEquals(more, []);
  const [, reason] = line.split(` warning remote: Refused to switch to version "${version}": `);
  if (reason !== undefined) return [...programs.lines, reason].join();
  const [, name] = / info +remote: Updating to (.*), as the panel has ordered$/.exec(line) ?? [];
  return `${name}: ${programs.lines.join().replace(`${thisProgram().path} update`, "")}`;
}

Deno.test("VersionSwitch.handle() installs the latest version or a newer one by its name, and says why nothing else", () => {
  const inexact = "only the latest version, or one by its exact name, can be installed";
  const newer = "version 1.2.30:  --now --install-version 1.2.30";
  const older = `${VERSION} is installed, and --allow-downgrade is not set`;
  const outcomes = {
    "the latest version:  --now": ["latest", "LATEST", "*", " latest "],
    [newer]: ["1.2.30", "v1.2.30"],
    [inexact]: ["1.*.2", "", "Snapshot-12", "1.2.*"],
    "it is installed already": [VERSION, `V${VERSION} `],
    [older]: ["0.0.1", "V0.0.1"],
  };
  return sameLater(outcomeOf, [
    ...Object.entries(outcomes).flatMap(([outcome, versions]) =>
      versions.map((version) => [[version], outcome] as [[string], string])
    ),
    [["latest", { obstacle: "updates are off" }], "updates are off"],
    [["V0.0.1", { allowDowngrade: true }], "version 0.0.1:  --now --install-version 0.0.1"],
  ]);
});

Deno.test("VersionSwitch.handle() says which command has failed", async () => {
  const programs = new FakePrograms("0::/system.slice/komari-agent-deno.service\n");
  const lines = await collectedLog(async () => {
    latest(new VersionSwitch(programs));
    programs.ended.resolve(false);
    await Promise.resolve();
    await Promise.resolve();
  });
  const line = "systemctl start --no-block komari-agent-deno-update.service";
  assertEquals(programs.lines, [line]);
  const failed = ` warning remote: The update failed: run "${line}" to see why`;
  assert(lines[1]?.endsWith(failed), lines[1]);
});

Deno.test("updateObstacle() says that updates are off, or that sources have none", () => {
  assertEquals(updateObstacle(configOf(["--disable-auto-update"])), "--disable-auto-update is set");
  assertEquals(updateObstacle(configOf(["--pin"])), "--pin is set");
  assertEquals(updateObstacle(configOf()), "this program runs from its sources");
});

Deno.test("updateObstacle() says what brings a newer version in a container", () => {
  const { statSync } = Deno;
  using _ = restoring(Deno, "statSync");
  Deno.statSync = () => statSync(new URL(import.meta.url));
  const image = "in a container a newer version comes with a newer image";
  assertEquals(updateObstacle(configOf()), image);
  assertEquals(updateObstacle(configOf(["--pin"])), "--pin is set");
});

Deno.test("updateArguments() finds the unit of the service manager in each kind of cgroup", () => {
  const start = (cgroup: string) => updateArguments(cgroup, "/p").join(" ");
  const user = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/agent.service";
  const older = "12:pids:/system.slice/agent.service\n1:name=systemd:/system.slice/agent.service";
  assertEquals(start(user), "systemctl --user start --no-block agent-update.service");
  assertEquals(start(older), "systemctl start --no-block agent-update.service");
  const [command, ...args] = updateArguments(older, "/p", "1.2.3");
  assertEquals([command, ...args.slice(0, 5)], [
    "systemd-run",
    ...["--quiet", "--collect", "--no-block", "--unit=agent-update-1.2.3"],
    "--property=EnvironmentFile=-/etc/agent/environment",
  ]);
  const words = "/p update --now --install-version 1.2.3 --install-service-name agent";
  assertEquals(args[5], `--setenv=DENO=${Deno.execPath()}`);
  assertEquals(args[6], "--setenv=DENO_DIR=/p.update/deno");
  const ofUser = updateArguments(user, "/p", "1.2.3");
  assertEquals(ofUser.slice(0, 3), ["systemd-run", "--user", "--quiet"]);
  assertEquals(ofUser[6], "--property=EnvironmentFile=-%E/agent/environment");
  // The program knows its own service by itself.
  const own = updateArguments("0::/system.slice/komari-agent-deno.service", "/p", "1.2.3");
  assertEquals(own.slice(-4), ["update", "--now", "--install-version", "1.2.3"]);
  assertEquals(args.slice(7).join(" "), words);
  assertEquals(updateArguments("", "/p", "1.2.3").slice(-2), ["--install-version", "1.2.3"]);
  const cgroups = [
    "",
    "0::/\n",
    "0::/user.slice/user-0.slice/session-3.scope",
    "0::/system.slice/docker-0123.scope",
    "0::/openrc.agent",
  ];
  for (const cgroup of cgroups) assertEquals(start(cgroup), "/p update --now");
});
