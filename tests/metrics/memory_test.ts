import { assertEquals } from "@std/assert";
import {
  MemoryCollector,
  type MemoryOptions,
  openMemory,
  usage,
} from "../../lib/metrics/memory.ts";
import type { CgroupMemory } from "../../lib/metrics/memory_cgroup.ts";
import { assertDataEquals } from "./assert_data.ts";
import { fakeHost, fakeSource } from "./fake_host.ts";

const KIB = 1024;
const MEMINFO = `MemTotal:        1000 kB
MemFree:          100 kB
MemAvailable:     550 kB
Buffers:           20 kB
Cached:           300 kB
SwapCached:        30 kB
SwapTotal:        400 kB
SwapFree:         250 kB
Shmem:             40 kB
SReclaimable:      60 kB
`;
/** ZFS with 150 KiB, of which it keeps 50. */
const ARCSTATS = `9 1 0x01\nname type data\nc_min 4 ${50 * KIB}\nsize 4 ${150 * KIB}\n`;
const GROUP: CgroupMemory = {
  ...{ limitBytes: 500 * KIB, currentBytes: 300 * KIB, inactiveFileBytes: 50 * KIB },
  ...{ activeFileBytes: 20 * KIB, reclaimableBytes: 10 * KIB, folder: "/sys/fs/cgroup" },
  swapBytes: undefined,
  swap: { limitBytes: 100 * KIB, usedBytes: 30 * KIB },
};

/** KiB of memory and swap, in use and in all; and where they are from. */
function measured(options: MemoryOptions = {}, text = MEMINFO) {
  const collector = new MemoryCollector(fakeSource(() => text), options);
  const { memory, swap } = collector.collect() ?? {};
  const numbers = [memory?.usedBytes, memory?.totalBytes, swap?.usedBytes, swap?.totalBytes];
  return { ...collector.sources("M"), kib: numbers.map((it) => it && it / KIB) };
}

const ofGroup = (changed: Partial<CgroupMemory> = {}) => ({
  collect: () => ({ ...GROUP, ...changed }),
});

Deno.test("MemoryCollector counts by its mode: of the machine, beside ZFS, and of a container's limit", () => {
  const rows = [
    ["htop", 560, 460, 250, "total - free - buffers - cached - reclaimable + shared"],
    ["available", 450, 350, 220, "total - available"],
    ["all", 900, 900, 300, "total - free"],
  ] as const;
  const ofLimit = {
    ...{ htop: "current - inactive files", available: "current - files - reclaimable" },
    all: "current",
  };
  for (const [mode, used, besideZfs, limited, rule] of rows) {
    assertDataEquals(measured({ mode }), {
      ...{ ram: `M, mode ${mode}: ${rule}`, swap: "M: total - free - cached" },
      kib: [used, 1000, 120, 400],
    });
    const zfs = measured({ mode, arcstats: fakeSource(() => ARCSTATS) });
    assertEquals([zfs.kib[0], zfs.ram.includes("ZFS taken off")], [besideZfs, mode !== "all"]);
    assertDataEquals(measured({ mode, cgroup: ofGroup() }), {
      ram: `the container's limit in /sys/fs/cgroup, mode ${mode}: ${ofLimit[mode]}`,
      ...{ swap: "/sys/fs/cgroup" },
      kib: [limited, 500, 30, 100],
    });
  }
});

Deno.test("MemoryCollector takes for available what is free where a kernel has no more to tell", () => {
  const old = "MemTotal: 1000 kB\nMemFree: 100 kB\nSwapTotal: 400 kB\nSwapFree: 250 kB\n";
  for (const mode of ["htop", "available"] as const) {
    assertEquals(measured({ mode }, old).kib, [900, 1000, 150, 400]);
  }
});

Deno.test("MemoryCollector has no swap where the kernel or the group does not speak of it", () => {
  const without = MEMINFO.replace(/Swap.*\n/g, "");
  for (const options of [{}, { cgroup: ofGroup() }, { cgroup: ofGroup({ swap: undefined }) }]) {
    assertEquals(measured(options, without).kib.slice(2), [undefined, undefined]);
  }
  assertEquals(measured({ cgroup: ofGroup({ swap: undefined }) }).kib[3], undefined);
  const cached = MEMINFO.replace("SwapCached:        30", "SwapCached:       170");
  assertEquals(measured({}, cached).kib[2], 0);
});

Deno.test("MemoryCollector gives the machine's numbers where the limit is beyond them", () => {
  const beyond = measured({ cgroup: ofGroup({ limitBytes: 1000 * KIB }) });
  assertEquals([beyond.kib, beyond.swap], [[560, 1000, 120, 400], "M: total - free - cached"]);
  for (const [limitBytes, total] of [[undefined, 400], [9000 * KIB, 400], [0, 0]] as const) {
    const { kib } = measured({ cgroup: ofGroup({ swap: { limitBytes, usedBytes: KIB } }) });
    assertEquals(kib[3], total, `${limitBytes}`);
  }
  const text = MEMINFO.replace("Cached:           300", "Cached:          3000");
  assertEquals(measured({}, text).kib[0], 940, "more would be cache than there is");
  const small = fakeSource(() => ARCSTATS.replace("size 4 153600", "size 4 1"));
  assertEquals(measured({ arcstats: small }).kib[0], 560, "ZFS is below its least size");
});

Deno.test("usage() has no more in use than there is, and not less than nothing", () => {
  assertEquals([-5, 4, 11].map((used) => usage(10, used).usedBytes), [0, 4, 10]);
});

Deno.test("openMemory() limits once, by the agent's container or by lxcfs, and nothing of another /proc", () => {
  const folder = "/sys/fs/cgroup";
  const lxcfs = "40 31 0:50 /proc/meminfo /proc/meminfo rw - fuse.lxcfs lxcfs rw\n";
  const limited: Record<string, string> = {
    "/.dockerenv": "",
    "/proc/meminfo": "MemTotal: 1000 kB\nMemFree: 400 kB\nSwapTotal: 100 kB\nSwapFree: 50 kB\n",
    "/proc/self/cgroup": "0::/\n",
    "/proc/self/mountinfo": `35 31 0:32 / ${folder} ro - cgroup2 cgroup2 rw\n`,
    [`${folder}/memory.max`]: `${500 * KIB}\n`,
    [`${folder}/memory.current`]: `${300 * KIB}\n`,
    [`${folder}/memory.stat`]: `inactive_file ${50 * KIB}\nactive_file ${20 * KIB}\n`,
  };
  const { "/.dockerenv": _, ...machine } = limited;
  const zfs = { "/proc/spl/kstat/zfs/arcstats": ARCSTATS };
  const used = (files: Record<string, string>, isOwn = true) => {
    const { memory } = openMemory(fakeHost(files), { mode: "htop", isOwn }).collect() ?? {};
    return [memory?.usedBytes, memory?.totalBytes].map((it = NaN) => it / KIB);
  };
  assertEquals(used(limited), [250, 500]);
  assertEquals(used(limited, false), [600, 1000]);
  const shown = limited["/proc/self/mountinfo"] + lxcfs;
  assertEquals(used({ ...limited, "/proc/self/mountinfo": shown }), [600, 1000]);
  assertEquals(used({ ...machine, ...zfs }), [500, 1000]);
  // The container's share does not include the machine's cache, which another /proc shows.
  const behind = { ...machine, ...zfs, "/proc/self/mountinfo": lxcfs };
  assertEquals([used(behind), used(behind, false)], [[600, 1000], [500, 1000]]);
});
