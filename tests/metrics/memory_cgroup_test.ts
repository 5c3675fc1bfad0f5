import { assertThrows } from "@std/assert";
import { openMemoryCgroup } from "../../lib/metrics/memory_cgroup.ts";
import { FakeTime } from "../fake_time.ts";
import { fakeHost } from "./fake_host.ts";
import { assertDataEquals } from "./assert_data.ts";

const MIB = 2 ** 20;
const TOP = "/sys/fs/cgroup";
const STAT_2 = `anon 1\ninactive_file ${30 * MIB}\nactive_file ${20 * MIB}\nslab_reclaimable 5\n`;
const STAT_1 =
  `inactive_file 1\nactive_file 1\ntotal_swap ${MIB}\ntotal_inactive_file ${30 * MIB}\n` +
  `total_active_file ${20 * MIB}\n`;

function mount(type: string, mountPoint: string, root = "/"): string {
  return `35 31 0:32 ${root} ${mountPoint} ro,relatime - ${type} ${type} rw\n`;
}

/** A container of version 2 with a namespace of its own. */
function container(changed: Record<string, string> = {}): Record<string, string> {
  return {
    "/.dockerenv": "",
    "/proc/self/cgroup": "0::/\n",
    "/proc/1/cgroup": "0::/\n",
    "/proc/self/mountinfo": mount("cgroup2", TOP),
    [`${TOP}/memory.max`]: `${512 * MIB}\n`,
    [`${TOP}/memory.current`]: `${200 * MIB}\n`,
    [`${TOP}/memory.stat`]: STAT_2,
    [`${TOP}/memory.swap.max`]: "max\n",
    [`${TOP}/memory.swap.current`]: "4096\n",
    ...changed,
  };
}

Deno.test("openMemoryCgroup() reads a container's limit and use by version 2", () => {
  const group = openMemoryCgroup(fakeHost(container()));
  assertDataEquals(group?.folder, TOP);
  assertDataEquals(group?.collect(), {
    limitBytes: 512 * MIB,
    isLimitedAbove: false,
    currentBytes: 200 * MIB,
    inactiveFileBytes: 30 * MIB,
    activeFileBytes: 20 * MIB,
    reclaimableBytes: 5,
    swapBytes: undefined,
    swap: { limitBytes: undefined, usedBytes: 4096, folder: TOP },
  });
});

Deno.test("openMemoryCgroup() reads a container's limit and use by version 1", () => {
  const folder = `${TOP}/memory`;
  const files: Record<string, string> = {
    "/proc/self/cgroup": "5:cpuset:/docker/1\n4:memory:/docker/1\n0::/\n",
    "/proc/1/cgroup": "4:memory:/docker/1\n",
    "/proc/self/mountinfo": mount("cgroup", `${TOP}/cpuset`, "/docker/1") +
      mount("cgroup", folder, "/docker/1"),
    [`${TOP}/cpuset/cpuset.cpus`]: "0\n",
    [`${folder}/memory.limit_in_bytes`]: `${512 * MIB}\n`,
    [`${folder}/memory.usage_in_bytes`]: `${200 * MIB}\n`,
    [`${folder}/memory.stat`]: STAT_1,
    [`${folder}/memory.memsw.limit_in_bytes`]: `${768 * MIB}\n`,
  };
  const group = openMemoryCgroup(fakeHost(files));
  assertDataEquals(group?.folder, folder);
  const memory = group?.collect();
  files[`${folder}/memory.memsw.limit_in_bytes`] = `${511 * MIB}\n`;
  assertDataEquals(group?.collect()?.swap, { limitBytes: 0, usedBytes: MIB, folder });
  files[`${folder}/memory.stat`] = STAT_1.replace(/total_swap.*\n/, "");
  assertDataEquals(group?.collect()?.swap, undefined, "it is not accounted");
  assertDataEquals([memory?.limitBytes, memory?.currentBytes], [512 * MIB, 200 * MIB]);
  assertDataEquals(memory?.inactiveFileBytes, 30 * MIB);
  assertDataEquals(memory?.swap, { limitBytes: 256 * MIB, usedBytes: MIB, folder });
});

/** A container of version 1, whose ancestors are out of sight; the last limit is the one in memory.stat. */
function oldContainer(limit: string, limitAbove: string): Record<string, string> {
  const folder = `${TOP}/memory`;
  const above = `hierarchical_memory_limit ${limitAbove}\nhierarchical_memsw_limit ${300 * MIB}\n`;
  return {
    "/.dockerenv": "",
    "/proc/self/cgroup": "4:memory:/\n",
    "/proc/1/cgroup": "4:memory:/\n",
    "/proc/self/mountinfo": mount("cgroup", folder),
    [`${folder}/memory.limit_in_bytes`]: `${limit}\n`,
    [`${folder}/memory.usage_in_bytes`]: `${200 * MIB}\n`,
    [`${folder}/memory.stat`]: `${above}${STAT_1}`,
    [`${folder}/memory.memsw.limit_in_bytes`]: `${UNLIMITED}\n`,
  };
}

const UNLIMITED = "9223372036854771712";

Deno.test("openMemoryCgroup() uses the limit of an ancestor that only memory.stat of version 1 tells", () => {
  const files = oldContainer(UNLIMITED, `${256 * MIB}`);
  const group = openMemoryCgroup(fakeHost(files));
  const memory = group?.collect();
  assertDataEquals([memory?.limitBytes, memory?.isLimitedAbove], [256 * MIB, true]);
  assertDataEquals(memory?.swap, { limitBytes: 44 * MIB, usedBytes: MIB, folder: `${TOP}/memory` });
  files[`${TOP}/memory/memory.limit_in_bytes`] = `${128 * MIB}\n`;
  const own = group?.collect();
  assertDataEquals([own?.limitBytes, own?.isLimitedAbove], [128 * MIB, false]);
});

for (const version of [1, 2] as const) {
  Deno.test(`openMemoryCgroup() uses the lowest limit of swap, whichever cgroup of version ${version} has it`, () => {
    const [file, text] = version === 1
      ? ["memory.memsw.limit_in_bytes", `${350 * MIB}\n`]
      : ["memory.swap.max", `${50 * MIB}\n`];
    const folder = version === 1 ? `${TOP}/memory` : TOP;
    const files = {
      ...coveredContainer(version),
      [`${folder}/pods/own/${file}`]: text,
      [`${folder}/pods/memory.swap.current`]: "4096\n",
      [`${folder}/pods/own/memory.swap.current`]: `${MIB}\n`,
    };
    const memory = openMemoryCgroup(fakeHost(files))?.collect();
    assertDataEquals([memory?.limitBytes, memory?.swap], [
      300 * MIB,
      { limitBytes: 50 * MIB, usedBytes: MIB, folder: `${folder}/pods/own` },
    ]);
  });
}

Deno.test("TightestCgroup.collectSwap() measures a limit of swap where memory has none", () => {
  const files = container({
    [`${TOP}/memory.max`]: "max\n",
    [`${TOP}/memory.swap.max`]: `${MIB}\n`,
  });
  const group = openMemoryCgroup(fakeHost(files));
  assertDataEquals(group?.collect(), undefined);
  assertDataEquals(group?.collectSwap(), { limitBytes: MIB, usedBytes: 4096, folder: TOP });
  files[`${TOP}/memory.swap.max`] = "max\n";
  assertDataEquals(openMemoryCgroup(fakeHost(files))?.collectSwap(), undefined);
});

Deno.test("openMemoryCgroup() measures the visible ancestor that has the limit, not one below it", () => {
  const files = {
    ...oldContainer(`${256 * MIB}`, `${256 * MIB}`),
    "/proc/self/cgroup": "4:memory:/service\n",
    [`${TOP}/memory/service/memory.limit_in_bytes`]: UNLIMITED,
    [`${TOP}/memory/service/memory.usage_in_bytes`]: "4096",
    [`${TOP}/memory/service/memory.stat`]: `hierarchical_memory_limit ${256 * MIB}\n${STAT_1}`,
  };
  assertDataEquals(openMemoryCgroup(fakeHost(files))?.folder, `${TOP}/memory`);
});

/** A container over whose cgroups those of its host are mounted; its own is two levels below. */
function coveredContainer(version: 1 | 2): Record<string, string> {
  const top = version === 1 ? `${TOP}/memory` : TOP;
  const limit = version === 1 ? "memory.limit_in_bytes" : "memory.max";
  const current = version === 1 ? "memory.usage_in_bytes" : "memory.current";
  const stat = version === 1 ? STAT_1 : STAT_2;
  const type = version === 1 ? "cgroup" : "cgroup2";
  const group = (path: string, bytes: string, pids: string) => ({
    [`${top}${path}/${limit}`]: bytes,
    [`${top}${path}/${current}`]: `${MIB}\n`,
    [`${top}${path}/memory.stat`]: stat,
    [`${top}${path}/cgroup.procs`]: pids,
  });
  const line = version === 1 ? "4:memory:/\n" : "0::/\n";
  return {
    "/.dockerenv": "",
    "/proc/self": "-> 70",
    "/proc/self/cgroup": line,
    "/proc/1/cgroup": line,
    "/proc/self/mountinfo": mount(type, `${TOP}/cpuset`) + mount(type, top, "/../.."),
    ...group("", `${900 * MIB}\n`, "0\n"),
    ...group("/other.slice", `${50 * MIB}\n`, "0\n"),
    ...group("/other.slice/a", `${50 * MIB}\n`, "0\n7\n170\n"),
    ...group("/pods", `${300 * MIB}\n`, ""),
    ...group("/pods/own", `${400 * MIB}\n`, "0\n1\n70\n"),
  };
}

for (const version of [1, 2] as const) {
  const top = version === 1 ? `${TOP}/memory` : TOP;

  Deno.test(`openMemoryCgroup() says so when its cgroup is not below its host's of version ${version}`, () => {
    const files = coveredContainer(version);
    delete files[`${top}/pods/own/cgroup.procs`];
    const group = openMemoryCgroup(fakeHost(files));
    assertDataEquals(group?.collect(), undefined);
    assertDataEquals(
      group?.problem?.message,
      `Cannot find the container's memory limit below ${top}`,
    );
  });
}

Deno.test("openMemoryCgroup() finds the container's cgroup below its host's when systemd runs in it", () => {
  const own = `${TOP}/pods/own`;
  const files = {
    ...coveredContainer(2),
    "/proc/self/cgroup": "0::/system.slice/agent.service\n",
    "/proc/1/cgroup": "0::/init.scope\n",
    [`${own}/cgroup.procs`]: "",
    [`${own}/system.slice/agent.service/cgroup.procs`]: "70\n",
    [`${own}/system.slice/agent.service/memory.max`]: `${MIB}\n`,
  };
  assertDataEquals(openMemoryCgroup(fakeHost(files))?.collect()?.limitBytes, 300 * MIB);
});

Deno.test("openMemoryCgroup() finds no limit where version 1 has none, nor above", () => {
  const table = [
    ["0", "0"],
    ["0", UNLIMITED],
    [UNLIMITED, "9223372036854710272"],
    ["9223372036854775807", "18446744073709551615"],
  ] as const;
  for (const [limit, limitAbove] of table) {
    const group = openMemoryCgroup(fakeHost(oldContainer(limit, limitAbove)));
    assertDataEquals([group?.folder, group?.collect()], [undefined, undefined], limitAbove);
  }
});

Deno.test("openMemoryCgroup() uses the container's limit when systemd in it limits the agent's unit", () => {
  const group = openMemoryCgroup(fakeHost(container({
    "/proc/self/cgroup": "0::/system.slice/agent.service\n",
    "/proc/1/cgroup": "0::/init.scope\n",
    [`${TOP}/system.slice/agent.service/memory.max`]: `${64 * MIB}\n`,
  })));
  assertDataEquals(group?.folder, TOP);
});

Deno.test("openMemoryCgroup() does not take process 1 of the host's namespace for the container's", () => {
  const group = openMemoryCgroup(fakeHost(container({
    "/proc/self/cgroup": "0::/pods/a\n",
    "/proc/1/cgroup": "0::/pod/init.scope\n",
    [`${TOP}/pods/a/memory.max`]: `${64 * MIB}\n`,
  })));
  assertDataEquals(group?.folder, `${TOP}/pods/a`);
});

Deno.test("openMemoryCgroup() returns undefined outside a container", () => {
  const { "/.dockerenv": _, ...machine } = container();
  assertDataEquals(openMemoryCgroup(fakeHost(machine)), undefined);
});

Deno.test("openMemoryCgroup() finds no limit where there is none, or nothing tells of it", () => {
  const table: Record<string, string>[] = [
    { [`${TOP}/memory.max`]: "max\n" },
    { [`${TOP}/memory.max`]: "512M\n" },
    { "/proc/self/cgroup": "" },
    { "/proc/self/cgroup": "0::/../elsewhere\n" },
    { "/proc/self/mountinfo": "" },
    { "/proc/self/mountinfo": "malformed\n" },
  ];
  for (const changed of table) {
    const group = openMemoryCgroup(fakeHost(container(changed)));
    assertDataEquals([group?.folder, group?.collect()], [undefined, undefined]);
  }
});

Deno.test("TightestCgroup.collect() takes a limit that is set after the start, within a minute", () => {
  using time = new FakeTime();
  const files = container({
    "/proc/self/cgroup": "0::/pod\n",
    [`${TOP}/memory.max`]: "max\n",
    [`${TOP}/pod/memory.max`]: "max\n",
    [`${TOP}/pod/memory.current`]: "4096\n",
    [`${TOP}/pod/memory.stat`]: STAT_2,
  });
  const group = openMemoryCgroup(fakeHost(files));
  assertDataEquals(group?.collect(), undefined);
  files[`${TOP}/pod/memory.max`] = `${200 * MIB}\n`;
  time.tick(59_999);
  assertDataEquals(group?.collect(), undefined);
  time.tick(1);
  assertDataEquals(group?.collect()?.limitBytes, 200 * MIB);
  assertDataEquals(group?.folder, `${TOP}/pod`);
  files[`${TOP}/memory.max`] = `${100 * MIB}\n`;
  time.tick(59_999);
  assertDataEquals(group?.collect()?.limitBytes, 200 * MIB);
  time.tick(1);
  assertDataEquals(group?.collect()?.limitBytes, 100 * MIB);
  assertDataEquals(group?.folder, TOP);
});

Deno.test("TightestCgroup.collect() goes on with the other limit when the tightest is removed", () => {
  const files = coveredContainer(2);
  const group = openMemoryCgroup(fakeHost(files));
  assertDataEquals(group?.collect()?.limitBytes, 300 * MIB);
  files[`${TOP}/pods/memory.max`] = "max\n";
  assertDataEquals(group?.collect()?.limitBytes, 400 * MIB);
  for (const folder of [`${TOP}/pods/own`, TOP]) files[`${folder}/memory.max`] = "max\n";
  assertDataEquals(group?.collect(), undefined);
});

Deno.test("CgroupMemoryCollector.collect() leaves out swap that is not accounted, and throws when the kernel's text is malformed", () => {
  const { [`${TOP}/memory.swap.current`]: _, ...files } = container();
  const memory = openMemoryCgroup(fakeHost(files))?.collect();
  assertDataEquals([memory?.limitBytes !== undefined, memory?.swap], [true, undefined]);
  const group = openMemoryCgroup(fakeHost(container({ [`${TOP}/memory.stat`]: "anon\n" })));
  assertThrows(() => group?.collect(), SyntaxError, '"anon"');
});
