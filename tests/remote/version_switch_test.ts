import { assert, assertEquals } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import {
  updateArguments,
  VersionSwitch,
  type VersionSwitchOptions,
} from "../../lib/remote/version_switch.ts";
import { collectedLog } from "./collected_log.ts";

/** Starts nothing, and remembers what it was asked for. */
class FakePrograms extends Programs {
  readonly lines: string[] = [];
  readonly ended = Promise.withResolvers<boolean>();

  override run(command: string, { args }: { args: readonly string[] }): Promise<boolean> {
    this.lines.push([command, ...args].join(" "));
    return this.ended.promise;
  }
}

function make(options: Partial<VersionSwitchOptions>): VersionSwitch {
  return new VersionSwitch({
    programs: undefined,
    obstacle: undefined,
    programPath: "/opt/agent",
    env: {},
    cgroup: "",
    monotonicMs: () => 0,
    ...options,
  });
}

Deno.test("VersionSwitch.handle() updates to the latest version, one order at a time", async () => {
  const programs = new FakePrograms();
  let nowMs = 0;
  const lines = await collectedLog(async () => {
    const versions = make({ programs, monotonicMs: () => nowMs });
    for (let count = 0; count < 100; count++) versions.handle("latest");
    nowMs = 3_600_000;
    // Still the same one.
    versions.handle("latest");
    assertEquals(programs.lines.length, 1);
    programs.ended.resolve(true);
    await Promise.resolve();
    await Promise.resolve();
    versions.handle("latest");
    versions.handle("latest");
  });
  assertEquals(programs.lines, Array(2).fill("/opt/agent update --now"));
  assertEquals(lines.length, 2);
});

Deno.test("VersionSwitch.handle() refuses all else, and says so once", async () => {
  const programs = new FakePrograms();
  const cases: [Partial<VersionSwitchOptions>, string, string][] = [
    [{ programs: undefined }, "latest", 'version "latest": remote control is off'],
    [{ programs, obstacle: "updates are off" }, "latest", 'version "latest": updates are off'],
    [{ programs }, "1.2.*", 'version "1.2.*": only the latest version can be installed'],
    [{ programs }, "", 'version "": only the latest version can be installed'],
  ];
  for (const [options, version, words] of cases) {
    const lines = await collectedLog(() => {
      const versions = make(options);
      for (let count = 0; count < 100; count++) versions.handle(version);
      return Promise.resolve();
    });
    assertEquals(lines.length, 1);
    assert(lines[0]?.endsWith(`Refused to switch to ${words}`), lines[0]);
  }
  assertEquals(programs.lines, []);
});

Deno.test("VersionSwitch.handle() says which command has failed", async () => {
  const programs = new FakePrograms();
  const cgroup = "0::/system.slice/komari-agent-deno.service\n";
  const lines = await collectedLog(async () => {
    make({ programs, cgroup }).handle("latest");
    programs.ended.resolve(false);
    await Promise.resolve();
    await Promise.resolve();
  });
  const line = "systemctl start --no-block komari-agent-deno-update.service";
  assertEquals(programs.lines, [line]);
  assert(lines[1]?.endsWith(`The update failed: run "${line}" to see why`), lines[1]);
});

Deno.test("updateArguments() finds the unit of the service manager in each kind of cgroup", () => {
  const start = (cgroup: string) => updateArguments(cgroup, "/p").join(" ");
  const user = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/agent.service";
  const older = "12:pids:/system.slice/agent.service\n1:name=systemd:/system.slice/agent.service";
  assertEquals(start(user), "systemctl --user start --no-block agent-update.service");
  assertEquals(start(older), "systemctl start --no-block agent-update.service");
  for (
    const cgroup of [
      "",
      "0::/\n",
      "0::/user.slice/user-0.slice/session-3.scope",
      "0::/system.slice/docker-0123.scope",
      "0::/openrc.agent",
    ]
  ) assertEquals(start(cgroup), "/p update --now");
});
