import { assertEquals, assertThrows } from "@std/assert";
import { openMemoryCgroup } from "../../lib/metrics/memory_cgroup.ts";
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
function group(folder: string, limit: string): Files {
  const files = `inactive_file ${30 * MIB}\nactive_file ${20 * MIB}\n`;
  return {
    [`${folder}/memory.max`]: limit,
    [`${folder}/memory.current`]: `${200 * MIB}\n`,
    [`${folder}/memory.stat`]: `anon 1\n${files}slab_reclaimable 5\n`,
  };
}

/** A container of version 2 with a namespace of its own. */
function container(changed: Files = {}): Files {
  return {
    "/.dockerenv": "",
    "/proc/self/cgroup": "0::/\n",
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
    "/proc/self/mountinfo": mount("cgroup", `${TOP}/cpuset`, "/docker/1") +
      mount("cgroup", OLD_TOP, "/docker/1"),
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

Deno.test("openMemoryCgroup() measures the cgroup with the lowest limit at the start, the outermost of equal ones", () => {
  const limits = (...limits: string[]) => {
    const folders = [TOP, `${TOP}/pod`, `${TOP}/pod/a`];
    const groups = folders.map((folder, at) => group(folder, `${limits[at]}\n`));
    return container({ "/proc/self/cgroup": "0::/pod/a\n", ...Object.assign({}, ...groups) });
  };
  const [low, high] = [`${100 * MIB}`, `${200 * MIB}`];
  assertEquals(limitOf(limits("max", high, "max")), [200, `${TOP}/pod`]);
  assertEquals(limitOf(limits("max", high, low)), [100, `${TOP}/pod/a`]);
  assertEquals(limitOf(limits(low, high, low)), [100, TOP]);
  const files = limits("max", "max", "max");
  const memory = openMemoryCgroup(fakeHost(files));
  assertEquals(memory?.collect(), undefined);
  files[`${TOP}/memory.max`] = `${high}\n`;
  assertEquals(memory?.collect()?.limitBytes, 200 * MIB, "one that is set later");
});

Deno.test("openMemoryCgroup() finds no limit outside a container, or where nothing tells of it", () => {
  const { "/.dockerenv": _, ...machine } = container();
  assertEquals(limitOf(machine), undefined);
  const rows: Files[] = [
    { [`${TOP}/memory.max`]: "max\n" },
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
