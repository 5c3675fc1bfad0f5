import { assertEquals } from "@std/assert";
import { openMemory } from "../../lib/metrics/memory.ts";
import { fakeHost } from "./fake_host.ts";

const KIB = 1024;
const TOP = "/sys/fs/cgroup";
const LXCFS = "40 31 0:50 /proc/meminfo /proc/meminfo rw - fuse.lxcfs lxcfs rw\n";
const LIMITED = {
  "/.dockerenv": "",
  "/proc/meminfo": "MemTotal: 1000 kB\nMemFree: 400 kB\nSwapTotal: 100 kB\nSwapFree: 50 kB\n",
  "/proc/self/cgroup": "0::/\n",
  "/proc/self/mountinfo": `35 31 0:32 / ${TOP} ro - cgroup2 cgroup2 rw\n`,
  [`${TOP}/memory.max`]: `${500 * KIB}\n`,
  [`${TOP}/memory.current`]: `${300 * KIB}\n`,
  [`${TOP}/memory.stat`]: `inactive_file ${50 * KIB}\nactive_file ${20 * KIB}\n`,
};
const ARCSTATS = {
  "/proc/spl/kstat/zfs/arcstats": `1 1 0\nname type data\nc_min 4 ${20 * KIB}\nsize 4 ${
    120 * KIB
  }\n`,
};

function kibibytes(files: Record<string, string>, isOwn = true): number[] {
  const { memory } = openMemory(fakeHost(files), { mode: "htop", isOwn }).collect() ?? {};
  return [(memory?.totalBytes ?? NaN) / KIB, (memory?.usedBytes ?? NaN) / KIB];
}

Deno.test("openMemory() measures by the limit of the container that the agent runs in", () => {
  assertEquals(kibibytes(LIMITED), [500, 250]);
});

Deno.test("openMemory() measures all of the machine when it is another's", () => {
  assertEquals(kibibytes(LIMITED, false), [1000, 600]);
});

Deno.test("openMemory() does not limit twice when lxcfs shows the container's share", () => {
  const shown = LIMITED["/proc/self/mountinfo"] + LXCFS;
  assertEquals(kibibytes({ ...LIMITED, "/proc/self/mountinfo": shown }), [1000, 600]);
});

Deno.test("openMemory() knows ZFS when it runs, but not behind lxcfs", () => {
  const { "/.dockerenv": _, ...machine } = LIMITED;
  assertEquals(kibibytes({ ...machine, ...ARCSTATS }), [1000, 500]);
  assertEquals(kibibytes({ ...machine, ...ARCSTATS, "/proc/self/mountinfo": LXCFS }), [1000, 600]);
});
