import { assert, assertEquals } from "@std/assert";
import { containerKind } from "../../lib/collect/container_kind.ts";
import { LocalHost } from "../../lib/host/local_host.ts";
import { cgroupFolders, type MemoryCgroup, parseMemoryCgroup } from "../../lib/parse/cgroup.ts";
import { parseMountinfo } from "../../lib/parse/mountinfo.ts";

const LIMIT_BYTES = 256 * 2 ** 20;

/** A control group with a limit, made for this test; `undefined` where that can't be done. */
class LimitedGroup implements Disposable {
  readonly folder: string;

  constructor(top: string, version: MemoryCgroup["version"]) {
    // Only what is passed on to the groups below has files there.
    if (version === 2) Deno.writeTextFileSync(`${top}/cgroup.subtree_control`, "+memory");
    this.folder = `${top}/komari-agent-test-${Deno.pid}`;
    Deno.mkdirSync(this.folder);
    const limit = version === 1 ? "memory.limit_in_bytes" : "memory.max";
    try {
      Deno.writeTextFileSync(`${this.folder}/${limit}`, String(LIMIT_BYTES));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  static make(): LimitedGroup {
    const group = parseMemoryCgroup(Deno.readTextFileSync("/proc/self/cgroup"));
    const mounts = parseMountinfo(Deno.readTextFileSync("/proc/self/mountinfo"));
    const folders = group === undefined ? [] : cgroupFolders(group, mounts);
    const top = folders.findLast((folder) => folder.includes("memory") || group?.version === 2);
    if (group === undefined || top === undefined) throw new Error("Cannot find a control group");
    return new LimitedGroup(top, group.version);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder);
  }
}

/** Root may make control groups, though not within every container. */
function canLimit(): boolean {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  try {
    using _ = LimitedGroup.make();
    return new Deno.Command("unshare", { args: ["--version"], stdout: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

const IGNORE = !canLimit();

/** What a dry run tells within the group, in namespaces of its own when it is to be a container. */
async function dryRun(group: LimitedGroup, wrapper: string) {
  const agent = `${Deno.execPath()} run -A main.ts --dry-run --json --ip-services off -i 1`;
  const { stdout, stderr, success } = await new Deno.Command("/bin/sh", {
    args: ["-c", `echo $$ >"$1/cgroup.procs" && exec ${wrapper} ${agent}`, "sh", group.folder],
    cwd: new URL("../../", import.meta.url),
    env: { HOST_PROC: "" },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const told: { report: { ram: { total: number; used: number }; process: number } } = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  return told.report;
}

Deno.test({
  name: "a container that the kernel limits has its limit and use for memory, and its processes",
  ignore: IGNORE,
  async fn() {
    using group = LimitedGroup.make();
    const { ram, process } = await dryRun(group, "unshare -pf --mount-proc");
    assertEquals(ram.total, LIMIT_BYTES);
    // The agent alone is in it, and it takes dozens of megabytes.
    assert(ram.used > 5 * 2 ** 20 && ram.used < 200 * 2 ** 20, `got ${ram.used}`);
    assertEquals(process, 1);
  },
});

Deno.test({
  name: "a limit of the agent's own, outside of a container, does not shrink the machine",
  ignore: IGNORE || containerKind(new LocalHost()) !== undefined,
  async fn() {
    using group = LimitedGroup.make();
    const { ram } = await dryRun(group, "");
    assertEquals(ram.total, Deno.systemMemoryInfo().total);
  },
});
