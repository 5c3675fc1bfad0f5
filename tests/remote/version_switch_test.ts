import { assertEquals } from "@std/assert";
import { type ProgramOptions, Programs } from "../../lib/host/programs.ts";
import { updateObstacle, VersionSwitch } from "../../lib/remote/version_switch.ts";
import { VERSION } from "../../lib/version.ts";
import { same, sameLater } from "../cases.ts";
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
const INEXACT = "only the latest or an exact version can be installed";

/** What a version switch logs that a test uses. */
async function logOf(
  use: (order: (...versions: string[]) => void, programs: FakePrograms) => Promise<void> | void,
  { obstacle, allowsDowngrade }: { obstacle?: string; allowsDowngrade?: boolean } = {},
): Promise<string[]> {
  const programs = new FakePrograms();
  const versions = new VersionSwitch(programs, obstacle, allowsDowngrade);
  const order = (...orders: string[]) => {
    for (const version of orders) versions.handle({ kind: "switch version", version });
  };
  const lines = await collectedLog(async () => await use(order, programs));
  return lines.map((line) => line.split(/ remote: (?:Refused to switch to version )?/)[1] ?? "");
}

/** What an order starts, or the reason in the log; without the agent's secrets. */
async function outcomeOf(version: string, allowsDowngrade = false): Promise<string> {
  let started: FakePrograms["started"][number] | undefined;
  const [line] = await logOf((order, programs) => {
    order(version);
    [started] = programs.started;
  }, { allowsDowngrade });
  if (started === undefined) return line?.replace(`"${version}": `, "") ?? "";
  assertEquals([started.env["AGENT_SECRET_OF_A_SWITCH"], started.cwd], [undefined, "/"]);
  const [, exact = "latest"] = /--install-version (\S+)/.exec(started.line) ?? [];
  const what = exact === "latest" ? "the latest version" : `version ${exact}`;
  assertEquals(line, `Updating to ${what}, as the panel has ordered`);
  return exact === "latest" ? started.line : exact;
}

timed.test("VersionSwitch.handle() updates to the latest version, or to a newer one by its name, without the agent's secrets", async () => {
  // No option, since other tests may run in this process.
  Deno.env.set("AGENT_SECRET_OF_A_SWITCH", "a-secret");
  await sameLater(outcomeOf, [
    ...["latest", "LATEST", "*", " latest "].map((it): [string, string] => [it, UPDATE]),
    ...["1.2.30", "v1.2.30"].map((it): [string, string] => [it, "1.2.30"]),
    ...["", "1.2.*", "1.*.2", "Snapshot-12"].map((it): [string, string] => [it, INEXACT]),
    [VERSION, "it is installed already"],
    ["V0.0.1", `${VERSION} is installed, and --allow-downgrade is not set`],
  ]);
  assertEquals(await outcomeOf("V0.0.1", true), "0.0.1");
  Deno.env.delete("AGENT_SECRET_OF_A_SWITCH");
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
  }, { obstacle: "it is pinned" });
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
