import { assertEquals, assertStringIncludes } from "@std/assert";
import { processorQuota, processorTimes, slowProcessor } from "../../lib/cli/doctor_processor.ts";

/** A machine with these files. */
function reading(files: Readonly<Record<string, string>>): (path: string) => string | undefined {
  return (path) => files[path];
}

const BUSY = { "/proc/stat": "cpu  10 0 10 100 0 0 0 80 5 0\ncpu0 1\n" };

Deno.test("processorQuota() is the smallest of all control groups, of either version", () => {
  const second = reading({
    "/proc/7/cgroup": "0::/system.slice/a:x.service\n",
    "/sys/fs/cgroup/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/system.slice/cpu.max": "50000 100000\n",
    "/sys/fs/cgroup/system.slice/a:x.service/cpu.max": "2000 100000\n",
  });
  const file = "/sys/fs/cgroup/system.slice/a:x.service/cpu.max";
  assertEquals(processorQuota(7, second), { percent: 2, file });
  const first = reading({
    "/proc/self/cgroup": "4:memory:/a\n3:cpu,cpuacct:/docker/123\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "5000\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
  });
  assertEquals(processorQuota("self", first)?.percent, 5);
  const none = reading({
    "/proc/self/cgroup": "1:cpu:/\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
  });
  const expected = [undefined, undefined];
  assertEquals([processorQuota("self", none), processorQuota(1, reading({}))], expected);
});

Deno.test("processorTimes() counts no guest twice, and nothing that the kernel does not tell", () => {
  assertEquals(processorTimes(reading(BUSY)), { all: 200, stolen: 80 });
  for (const text of ["", "cpu  1 2 3\n", "cpu  a b c d e f g h\n"]) {
    assertEquals(processorTimes(reading({ "/proc/stat": text })), undefined);
  }
});

Deno.test("slowProcessor() names a quota and a host that give too little, and nothing else", () => {
  const limited = (pid: number | "self", quota: number) => ({
    [`/proc/${pid}/cgroup`]: `0::/${pid}`,
    [`/sys/fs/cgroup/${pid}/cpu.max`]: `${quota} 100000`,
  });
  const before = { all: 100, stolen: 10 };
  const of = (files: Readonly<Record<string, string>>, isLate = false) => {
    const [found] = slowProcessor({ pid: 7, name: "x", before, isLate }, reading(files));
    return [found?.status, found?.text ?? ""] as const;
  };
  const [status, text] = of(limited("self", 2000));
  assertEquals(status, "warning");
  assertEquals(text, "this machine may use 2 % of one processor (/sys/fs/cgroup/self/cpu.max)");
  assertEquals(of(limited("self", 20_000))[0], undefined, "enough for an agent");
  assertEquals(of(limited("self", 20_000), true)[0], "failed", "too little for what was late");
  assertStringIncludes(of(limited(7, 5000))[1], "the agent may use 5 % of one processor");
  assertEquals(of({}, true)[0], undefined);
  assertEquals(of(BUSY)[1].slice(0, 41), "the host of this machine has given 70 % o");
  const same = slowProcessor(
    { pid: 0, name: "x", before: { all: 200, stolen: 80 }, isLate: true },
    reading(BUSY),
  );
  assertEquals(same, [], "no time has passed");
});
