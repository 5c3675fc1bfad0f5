import { assertEquals, assertThrows } from "@std/assert";
import { openMemoryCgroup } from "../../lib/metrics/memory_cgroup.ts";
import { timed } from "../fake_time.ts";
import { assertDataEquals } from "./assert_data.ts";
import { fakeHost } from "./fake_host.ts";

const MIB = 2 ** 20;
const TOP = "/sys/fs/cgroup";
const OLD_TOP = `${TOP}/memory`;

type Files = Record<string, string>;

function mount(type: string, mountPoint: string, root = "/"): string {
  return `35 31 0:32 ${root} ${mountPoint} ro,relatime - ${type} ${type} rw\n`;
}

/** A cgroup of version 2 with a limit. */
function group(folder: string, limit: string, used = `${200 * MIB}\n`): Files {
  return {
    [`${folder}/memory.max`]: limit,
    [`${folder}/memory.current`]: used,
    [`${folder}/memory.stat`]: `anon 1\ninactive_file ${30 * MIB}\nactive_file ${
      20 * MIB
    }\nslab_reclaimable 5\n`,
  };
}

/** A container of version 2 with a namespace of its own. */
function container(changed: Files = {}): Files {
  return {
    "/.dockerenv": "",
    "/proc/self/cgroup": "0::/\n",
    "/proc/1/cgroup": "0::/\n",
    "/proc/self/mountinfo": mount("cgroup2", TOP),
    ...group(TOP, `${512 * MIB}\n`),
    [`${TOP}/memory.swap.max`]: "max\n",
    [`${TOP}/memory.swap.current`]: "4096\n",
    ...changed,
  };
}

/** A container of version 1. */
function oldContainer(limit: string): Files {
  return {
    "/.dockerenv": "",
    "/proc/self/cgroup": "5:cpuset:/docker/1\n4:memory:/docker/1\n0::/\n",
    "/proc/1/cgroup": "4:memory:/docker/1\n",
    "/proc/self/mountinfo": mount("cgroup", `${TOP}/cpuset`, "/docker/1") +
      mount("cgroup", OLD_TOP, "/docker/1"),
    [`${TOP}/cpuset/cpuset.cpus`]: "0\n",
    [`${OLD_TOP}/memory.limit_in_bytes`]: `${limit}\n`,
    [`${OLD_TOP}/memory.usage_in_bytes`]: `${200 * MIB}\n`,
    [`${OLD_TOP}/memory.stat`]: `inactive_file 1\nactive_file 1\n` +
      `total_swap ${MIB}\ntotal_inactive_file ${30 * MIB}\n` +
      `total_active_file ${20 * MIB}\n`,
    [`${OLD_TOP}/memory.memsw.limit_in_bytes`]: `${768 * MIB}\n`,
  };
}

/** Limit in MiB and folder of what is measured. */
function limitOf(files: Files): [limit: number, folder: string] | undefined {
  const memory = openMemoryCgroup(fakeHost(files))?.collect();
  return memory && [memory.limitBytes / MIB, memory.folder];
}

Deno.test("openMemoryCgroup() reads a container's limit and use by both versions", () => {
  const part = { inactiveFileBytes: 30 * MIB, activeFileBytes: 20 * MIB };
  const both = { limitBytes: 512 * MIB, currentBytes: 200 * MIB, ...part };
  assertDataEquals<unknown>(openMemoryCgroup(fakeHost(container()))?.collect(), {
    ...{ ...both, reclaimableBytes: 5, folder: TOP },
    swap: { usedBytes: 4096 },
  });
  const files = oldContainer(`${512 * MIB}`);
  assertDataEquals<unknown>(openMemoryCgroup(fakeHost(files))?.collect(), {
    ...{ ...both, swapBytes: MIB, folder: OLD_TOP },
    swap: { limitBytes: 256 * MIB, usedBytes: MIB },
  });
});

timed.test("openMemoryCgroup() measures the lowest limit of a container's cgroups, and reads all each minute", (time) => {
  const files = container({
    ...group(TOP, "max\n"),
    "/proc/self/cgroup": "0::/pod/a\n",
    ...group(`${TOP}/pod`, "max\n"),
    ...group(`${TOP}/pod/a`, "max\n"),
  });
  let reads = 0;
  const host = fakeHost(files);
  const open = (path: string) => ({ read: () => (reads++, host.readText(path)) });
  const memory = openMemoryCgroup({ ...host, open });
  const set = (folder: string, limit: string) => {
    files[`${TOP}${folder}/memory.max`] = `${limit}\n`;
    time.tick(60_000);
    const now = memory?.collect();
    return now && [now.limitBytes / MIB, now.folder.slice(TOP.length)];
  };
  assertEquals(memory?.collect(), undefined);
  assertEquals(set("/pod", `${200 * MIB}`), [200, "/pod"]);
  assertEquals(set("/pod/a", `${100 * MIB}`), [100, "/pod/a"]);
  // Of those below one limit, the outermost has it, and all memory to which it applies.
  assertEquals(set("", `${100 * MIB}`), [100, ""]);
  assertEquals(set("", "max"), [100, "/pod/a"]);
  assertEquals(set("/pod/a", "max"), [200, "/pod"]);
  // Else a report in a container without a limit costs a quarter more.
  const readsOfOne = () => (reads = 0, time.tick(59_999), memory?.collect(), reads);
  assertEquals(readsOfOne(), 3, "memory.current, memory.stat and swap of the tightest");
  assertEquals(set("/pod", "max"), undefined);
  assertEquals(readsOfOne(), 0);
});

Deno.test("openMemoryCgroup() finds no limit outside a container, or where nothing tells of it", () => {
  const { "/.dockerenv": _, ...machine } = container();
  assertEquals(limitOf(machine), undefined);
  const rows: Files[] = [
    { [`${TOP}/memory.max`]: "max\n" },
    { [`${TOP}/memory.max`]: "512M\n" },
    { "/proc/self/cgroup": "" },
    { "/proc/self/cgroup": "0::/../elsewhere\n" },
    { "/proc/self/mountinfo": "" },
    { "/proc/self/mountinfo": "malformed\n" },
    // Its host's own are mounted over them.
    { "/proc/self/mountinfo": mount("cgroup2", TOP, "/../..") },
  ];
  for (const changed of rows) {
    assertEquals(limitOf(container(changed)), undefined, Deno.inspect(changed));
  }
  for (const none of ["0", "9223372036854771712", "18446744073709551615"]) {
    assertEquals(limitOf(oldContainer(none)), undefined, none);
  }
  const malformed = container({ [`${TOP}/memory.stat`]: "anon\n" });
  assertThrows(() => limitOf(malformed), SyntaxError, '"anon"');
});
