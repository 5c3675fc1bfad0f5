import { assert, assertEquals } from "@std/assert";
import { succeeds } from "./command.ts";
import { dryRun } from "./dry_run.ts";
import { missingUserModeLinux, testInUserModeLinux } from "./user_mode_linux.ts";

const MIB = 2 ** 20;
/** All of the agent that is measured fits in it, with its runtime. */
const LIMIT = 400 * MIB;

/** A hierarchy of version 1, mounted for the commands of one line of shell. */
const MOUNT = "mount -t tmpfs top /sys/fs/cgroup && mkdir /sys/fs/cgroup/memory && " +
  "mount -t cgroup -o memory memory /sys/fs/cgroup/memory";

/** Whether this kernel has the hierarchy, and this user may make a cgroup in it. */
function hasVersion1(): boolean {
  const name = `/sys/fs/cgroup/memory/live-${crypto.randomUUID()}`;
  const script = `${MOUNT} && mkdir ${name} && rmdir ${name} && unshare --cgroup true`;
  return succeeds("unshare", "--mount", "sh", "-c", script);
}

const isHere = hasVersion1();
const isAnotherKernel = Deno.readTextFileSync("/proc/cpuinfo").includes("User Mode Linux");
const missing = isHere || isAnotherKernel ? "this one" : missingUserModeLinux();

/** Has a hierarchy of its own mounted, which shows the namespace's root; its ancestors are out of sight. */
const OWN_MOUNT = "umount /sys/fs/cgroup/memory && " +
  "mount -t cgroup -o memory memory /sys/fs/cgroup/memory &&";

Deno.test({
  name:
    "a dry run in a container of cgroup version 1 has the limit of a cgroup above its namespace" +
    (isHere ? "" : " (skipped: this kernel has no memory cgroups of version 1)"),
  ignore: !isHere,
  async fn() {
    const group = `/sys/fs/cgroup/memory/live-${crypto.randomUUID()}`;
    const through = [
      ...["unshare", "--mount", "sh", "-c"],
      `${MOUNT} && mkdir -p ${group}/inside && echo ${LIMIT} >${group}/memory.limit_in_bytes &&
       echo $$ >${group}/inside/cgroup.procs &&
       container=podman unshare --cgroup --pid --fork --kill-child --mount-proc \
         sh -c '${OWN_MOUNT} "$@"; exit $?' "$@"
       code=$?
       echo $$ >/sys/fs/cgroup/memory/cgroup.procs; rmdir ${group}/inside ${group}; exit $code`,
      ...["sh", "sh"],
    ];
    const { report, sources } = await dryRun([], { through });
    assertEquals(report.message, "");
    assertEquals(report.ram.total, LIMIT, sources.ram);
    const start = "the container's limit in /sys/fs/cgroup/memory, ";
    assert(sources.ram?.startsWith(start), sources.ram);
    assert(report.ram.used > 10 * MIB && report.ram.used < LIMIT, String(report.ram.used));
    const whole = await dryRun([]);
    assert(whole.report.ram.total > LIMIT);
    assert(!succeeds("sh", "-c", `unshare --mount sh -c '${MOUNT} && test -d ${group}'`));
  },
});

// The kernel of the machine that tests may have cgroups of version 2 alone.
Deno.test({
  name: "the limits of cgroup version 1 are those of a kernel that has them" +
    (missing === undefined ? "" : ` (skipped: ${missing})`),
  ignore: missing !== undefined,
  async fn() {
    const { success, output } = await testInUserModeLinux("tests/slow/live/memory_limit_test.ts");
    console.log(output);
    assert(success, "tests failed on the other kernel");
    assert(output.includes("1 passed"), "the test was skipped on the other kernel");
  },
});
