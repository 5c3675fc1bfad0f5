import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { LocalHost } from "../../../lib/host/local_host.ts";
import { containerKind } from "../../../lib/metrics/virtualization.ts";
import { type Cgroup, cgroupMountFolders, parseCgroup } from "../../../lib/parse/cgroup.ts";
import { parseMountinfo } from "../../../lib/parse/mountinfo.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { dryRun } from "../live/dry_run.ts";
import { onlyIf } from "../../only_on.ts";

const LIMIT_BYTES = 256 * 2 ** 20;

/** A control group with a limit, made for this test; `undefined` where that can't be done. */
class LimitedGroup implements AsyncDisposable {
  readonly folder: string;

  constructor(top: string, version: Cgroup["version"]) {
    // Only what is passed on to the groups below has files there.
    if (version === 2) Deno.writeTextFileSync(`${top}/cgroup.subtree_control`, "+memory");
    this.folder = `${top}/komari-agent-test-${Deno.pid}`;
    Deno.mkdirSync(this.folder);
    const limit = version === 1 ? "memory.limit_in_bytes" : "memory.max";
    try {
      Deno.writeTextFileSync(`${this.folder}/${limit}`, String(LIMIT_BYTES));
    } catch (error) {
      Deno.removeSync(this.folder);
      throw error;
    }
  }

  static make(): LimitedGroup {
    const group = parseCgroup(Deno.readTextFileSync("/proc/self/cgroup"));
    const mounts = parseMountinfo(Deno.readTextFileSync("/proc/self/mountinfo"));
    const folders = group === undefined ? [] : cgroupMountFolders(group, mounts);
    const top = folders.findLast((folder) => folder.includes("memory") || group?.version === 2);
    if (group === undefined || top === undefined) throw new Error("Cannot find a control group");
    return new LimitedGroup(top, group.version);
  }

  /** Waits until the last process in it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (let triesLeft = 250;; triesLeft--) {
      try {
        return Deno.removeSync(this.folder);
      } catch (error) {
        if (triesLeft === 0) throw error;
        await delay(20);
      }
    }
  }
}

/** Root may make control groups, though not within every container. */
function canLimit(): boolean {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  try {
    Deno.removeSync(LimitedGroup.make().folder);
    return new Deno.Command("unshare", { args: ["--version"], stdout: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

const IGNORE = !canLimit();

const here = onlyIf(!IGNORE);

here.test("a sealed agent in a container goes on reporting its limit, its use and its processes", async () => {
  await using group = LimitedGroup.make();
  using panel = await startTestPanel({ token: "token" });
  const enter = `echo $$ >"$0/cgroup.procs" && exec unshare -pf --kill-child --mount-proc "$@"`;
  await using agent = new AgentProcess(["-e", panel.url, "-t", "token", "-i", "0.2"], {
    through: ["/bin/sh", "-c", enter, group.folder],
  });
  await panel.state.until(({ counts }) => counts.basicInfos >= 1);
  // Whatever comes from now on is read by handles that were opened before the seal.
  const before = panel.state.counts.reports;
  await panel.state.until(({ counts }) => counts.reports >= before + 4);
  const report = panel.state.reports.at(-1)?.value;
  assertEquals([report?.ram.total, panel.state.columns.mem_total], [LIMIT_BYTES, LIMIT_BYTES]);
  assert(report && report.ram.used > 5 * 2 ** 20 && report.ram.used < LIMIT_BYTES);
  assert(report.process >= 1 && report.process <= 5, `got ${report.process}`);
  assertEquals(report.message, "", agent.output);
  assertEquals(panel.state.violations, []);
});

const outsideContainers = onlyIf(!IGNORE && containerKind(new LocalHost()) === undefined);

outsideContainers.test("a limit of the agent's own, outside of a container, does not shrink the machine", async () => {
  await using group = LimitedGroup.make();
  const through = ["/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', group.folder];
  const { report } = await dryRun([], { through });
  assertEquals(report.ram.total, Deno.systemMemoryInfo().total);
});
