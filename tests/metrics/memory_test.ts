import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { MemoryCollector, openMemory } from "../../lib/metrics/memory.ts";
import type { CgroupMemory } from "../../lib/metrics/memory_cgroup.ts";
import { parseMeminfo } from "../../lib/parse/meminfo.ts";
import type { MemoryMode } from "../../lib/types.ts";
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

Deno.test("MemoryCollector.collect() counts what a kernel does not tell as nothing", () => {
  const text = "MemTotal: 1000 kB\nMemFree: 100 kB\nSwapTotal: 400 kB\nSwapFree: 250 kB\n";
  assertDataEquals(new MemoryCollector(fakeSource(() => text)).collect(), {
    memory: { totalBytes: 1000 * KIB, usedBytes: 900 * KIB },
    swap: { totalBytes: 400 * KIB, usedBytes: 150 * KIB },
  });
});

const table = [
  ["htop", 560, "total - free - buffers - cached - reclaimable + shared"],
  ["available", 450, "total - available"],
  ["all", 900, "total - free"],
] as const;
for (const [mode, used, rule] of table) {
  Deno.test(`MemoryCollector.collect() has ${used} KiB in use when the mode is ${mode}`, () => {
    const memory = new MemoryCollector(fakeSource(() => MEMINFO), { mode });
    assertDataEquals(memory.collect()?.memory.usedBytes, used * KIB);
    assertDataEquals(memory.sources("/proc/meminfo"), {
      ram: `/proc/meminfo, mode ${mode}: ${rule}`,
      swap: "/proc/meminfo: total - free - cached",
    });
  });
}

Deno.test("MemoryCollector.collect() counts as htop does and says so when the kernel knows nothing of available", () => {
  const text = MEMINFO.replace(/MemAvailable.*\n/, "");
  const memory = new MemoryCollector(fakeSource(() => text), { mode: "available" });
  assertDataEquals(memory.collect()?.memory.usedBytes, 560 * KIB);
  assertDataEquals(
    memory.sources("/proc/meminfo").ram,
    "/proc/meminfo, mode htop, because this kernel has no MemAvailable: " +
      "total - free - buffers - cached - reclaimable + shared",
  );
});

Deno.test("MemoryCollector.missingPart() names numbers that don't add up, of which htop shows what is not free", () => {
  let text = MEMINFO.replace("Cached:           300", "Cached:          3000");
  const memory = new MemoryCollector(fakeSource(() => text));
  const { totalBytes, freeBytes, sharedBytes = 0 } = parseMeminfo(text);
  const used = memory.collect()?.memory.usedBytes;
  assertDataEquals(used, Math.min(totalBytes - freeBytes + sharedBytes, totalBytes));
  assert(used !== undefined && used > 0);
  assertStringIncludes(memory.missingPart()?.message ?? "", "Cannot add up meminfo");
  text = MEMINFO;
  memory.collect();
  assertDataEquals(memory.missingPart(), undefined);
  text = MEMINFO.replace(/MemAvailable: +\d+/, "MemAvailable: 999999999");
  memory.collect();
  assert(memory.missingPart() !== undefined);
});

Deno.test("MemoryCollector.collect() has no swap in use when all of it is cached", () => {
  const text = MEMINFO.replace("SwapCached:        30", "SwapCached:       170");
  assertDataEquals(new MemoryCollector(fakeSource(() => text)).collect()?.swap?.usedBytes, 0);
});

Deno.test("MemoryCollector.collect() leaves swap out when the kernel does not speak of it", () => {
  const text = MEMINFO.replace(/Swap.*\n/g, "");
  assertDataEquals(Object.keys(new MemoryCollector(fakeSource(() => text)).collect() ?? {}), [
    "memory",
  ]);
});

/** ZFS with 150 KiB, of which it keeps 50. */
const ARCSTATS = `9 1 0x01\nname type data\nc_min 4 ${50 * KIB}\nsize 4 ${150 * KIB}\n`;

for (const [mode, used] of [["htop", 460], ["available", 350], ["all", 900]] as const) {
  Deno.test(`MemoryCollector.collect() has ${used} KiB in use beside ZFS when the mode is ${mode}`, () => {
    const arcstats = fakeSource(() => ARCSTATS);
    const memory = new MemoryCollector(fakeSource(() => MEMINFO), { mode, arcstats });
    assertDataEquals(memory.collect()?.memory.usedBytes, used * KIB);
    const isTakenOff = /ZFS taken off/.test(memory.sources("/proc/meminfo").ram);
    assertEquals(isTakenOff, mode !== "all");
  });
}

Deno.test("MemoryCollector.collect() takes nothing off when ZFS is below its least size", () => {
  const arcstats = fakeSource(() => ARCSTATS.replace("size 4 153600", "size 4 1"));
  const memory = new MemoryCollector(fakeSource(() => MEMINFO), { arcstats });
  assertDataEquals(memory.collect()?.memory.usedBytes, 560 * KIB);
});

const GROUP: CgroupMemory = {
  limitBytes: 500 * KIB,
  currentBytes: 300 * KIB,
  inactiveFileBytes: 50 * KIB,
  activeFileBytes: 20 * KIB,
  reclaimableBytes: 10 * KIB,
  swapBytes: undefined,
  swap: { limitBytes: 100 * KIB, usedBytes: 30 * KIB, folder: "/sys/fs/cgroup" },
};

/** A container's group with this memory, and with a limit of swap alone where that is given. */
function groupOf(
  memory: CgroupMemory | undefined,
  { swap, problem }: { swap?: CgroupMemory["swap"]; problem?: Error } = {},
) {
  return {
    folder: memory && "/sys/fs/cgroup",
    collect: () => memory,
    collectSwap: () => swap,
    ...(problem && { problem }),
  };
}

function limited(changed: Partial<CgroupMemory>, mode?: MemoryMode): MemoryCollector {
  const cgroup = groupOf({ ...GROUP, ...changed });
  return new MemoryCollector(fakeSource(() => MEMINFO), { cgroup, ...(mode && { mode }) });
}

const cases = [
  ["htop", 250, "current - inactive files"],
  ["available", 220, "current - files - reclaimable"],
  ["all", 300, "current"],
] as const;
for (const [mode, used, rule] of cases) {
  Deno.test(`MemoryCollector.collect() has ${used} KiB of a limit in use when the mode is ${mode}`, () => {
    const memory = limited({}, mode);
    assertDataEquals(memory.collect(), {
      memory: { totalBytes: 500 * KIB, usedBytes: used * KIB },
      swap: { totalBytes: 100 * KIB, usedBytes: 30 * KIB },
    });
    assertDataEquals(memory.sources("/proc/meminfo"), {
      ram: `the container's limit in /sys/fs/cgroup, mode ${mode}: ${rule}`,
      swap: "/sys/fs/cgroup",
    });
  });
}

Deno.test("MemoryCollector.collect() has a container's limit of swap where memory has none", () => {
  const swap = { limitBytes: 100 * KIB, usedBytes: 30 * KIB, folder: "/sys/fs/cgroup" };
  const cgroup = groupOf(undefined, { swap });
  const memory = new MemoryCollector(fakeSource(() => MEMINFO), { cgroup });
  assertDataEquals(memory.collect(), {
    memory: { totalBytes: 1000 * KIB, usedBytes: 560 * KIB },
    swap: { totalBytes: 100 * KIB, usedBytes: 30 * KIB },
  });
  assertDataEquals(memory.sources("/proc/meminfo").swap, "/sys/fs/cgroup");
});

Deno.test("MemoryCollector.missingPart() names a container's limit that could not be found", () => {
  const problem = new Error("Cannot find it");
  const cgroup = groupOf(undefined, { problem });
  const memory = new MemoryCollector(fakeSource(() => MEMINFO), { cgroup });
  assertDataEquals(memory.collect()?.memory.totalBytes, 1000 * KIB);
  assertDataEquals(memory.missingPart(), problem);
});

Deno.test("MemoryCollector.sources() names the file that tells a limit out of sight", () => {
  const memory = limited({ isLimitedAbove: true });
  memory.collect();
  assertDataEquals(memory.sources("/proc/meminfo"), {
    ram: "the container's limit in /sys/fs/cgroup/memory.stat, mode htop: current - inactive files",
    swap: "/sys/fs/cgroup",
  });
});

Deno.test("MemoryCollector.collect() gives the machine's numbers when the limit is beyond them, and allows no more swap than the machine has", () => {
  const memory = limited({ limitBytes: 1000 * KIB });
  assertDataEquals(memory.collect()?.memory, { totalBytes: 1000 * KIB, usedBytes: 560 * KIB });
  assertDataEquals(memory.sources("/proc/meminfo").swap, "/proc/meminfo: total - free - cached");
  const totals = [undefined, 9000 * KIB, 0].map((limitBytes) =>
    limited({ swap: { limitBytes, usedBytes: KIB, folder: "" } }).collect()?.swap?.totalBytes
  );
  assertDataEquals(totals, [400 * KIB, 400 * KIB, 0]);
});

Deno.test("MemoryCollector.collect() leaves swap out when the group does not count it", () => {
  const { swap: _, ...group } = GROUP;
  const memory = new MemoryCollector(fakeSource(() => MEMINFO), { cgroup: groupOf(group) });
  assertDataEquals(Object.keys(memory.collect() ?? {}), ["memory"]);
});

Deno.test("MemoryCollector.collect() counts a limit by its mode although an old kernel knows less", () => {
  const text = MEMINFO.replace(/MemAvailable.*\n/, "").replace(/SwapTotal.*\n/, "");
  const memory = new MemoryCollector(fakeSource(() => text), {
    mode: "available",
    cgroup: groupOf(GROUP),
  });
  assertDataEquals(memory.collect(), { memory: { totalBytes: 500 * KIB, usedBytes: 220 * KIB } });
  assertDataEquals(
    memory.sources("/proc/meminfo").ram,
    "the container's limit in /sys/fs/cgroup, mode available: current - files - reclaimable",
  );
});

Deno.test("MemoryCollector.collect() never has more in use than the limit, or less than nothing", () => {
  const bytes = fc.maxSafeNat();
  const stat = fc.record({
    limitBytes: bytes,
    currentBytes: bytes,
    inactiveFileBytes: bytes,
    activeFileBytes: bytes,
    swap: fc.record({
      limitBytes: fc.option(bytes, { nil: undefined }),
      usedBytes: bytes,
      folder: fc.constant("/"),
    }),
  });
  fc.assert(fc.property(stat, fc.constantFrom("htop", "available", "all"), (stat, mode) => {
    const usages = Object.values(limited(stat, mode).collect() ?? {});
    assertEquals(usages.length, 2);
    for (const usage of usages) {
      assert(usage.usedBytes >= 0 && usage.usedBytes <= usage.totalBytes);
    }
  }));
});

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
const ARCSTATS_FILE = { "/proc/spl/kstat/zfs/arcstats": ARCSTATS };

function kibibytes(files: Record<string, string>, isOwn = true): number[] {
  const { memory } = openMemory(fakeHost(files), { mode: "htop", isOwn }).collect() ?? {};
  return [(memory?.totalBytes ?? NaN) / KIB, (memory?.usedBytes ?? NaN) / KIB];
}

Deno.test("openMemory() uses the limit of the agent's container, and measures the whole machine of another /proc", () => {
  assertEquals(kibibytes(LIMITED), [500, 250]);
  assertEquals(kibibytes(LIMITED, false), [1000, 600]);
});

Deno.test("openMemory() does not limit twice when lxcfs shows the container's share, and knows the ZFS of another /proc, whatever lies over its own", () => {
  const shown = LIMITED["/proc/self/mountinfo"] + LXCFS;
  assertEquals(kibibytes({ ...LIMITED, "/proc/self/mountinfo": shown }), [1000, 600]);
  const files = { ...LIMITED, ...ARCSTATS_FILE, "/proc/self/mountinfo": LXCFS };
  assertEquals(kibibytes(files, false), [1000, 500]);
});

Deno.test("openMemory() knows ZFS when it runs, but not behind lxcfs", () => {
  const { "/.dockerenv": _, ...machine } = LIMITED;
  const { ram } = openMemory(fakeHost(machine), { mode: "htop", isOwn: true }).sources("M");
  assertEquals(ram.startsWith("M, mode htop: "), true, ram);
  assertEquals(kibibytes({ ...machine, ...ARCSTATS_FILE }), [1000, 500]);
  assertEquals(kibibytes({ ...machine, ...ARCSTATS_FILE, "/proc/self/mountinfo": LXCFS }), [
    1000,
    600,
  ]);
});
