import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  cgroupMountFolders,
  parseCgroup,
  parseMemoryLimit,
  parseMemoryStat,
} from "../../lib/parse/cgroup.ts";
import type { Mount } from "../../lib/parse/mountinfo.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

function mount(
  type: string,
  mountPoint: string,
  root = "/",
): Pick<Mount, "type" | "root" | "mountPoint"> {
  return { root, mountPoint, type };
}

const UNIFIED = mount("cgroup2", "/sys/fs/cgroup");

Deno.test("parseCgroup() reads the one line of version 2, and uses the memory hierarchy of version 1", () => {
  const path = "/system.slice/docker-0123abc.scope";
  assertEquals(parseCgroup(`0::${path}\n`, "memory"), { version: 2, path });
  assertEquals(parseCgroup("0::/\n", "memory"), { version: 2, path: "/" });
  const text = "9:name=systemd:/\n4:memory:/docker/0123abc\n3:cpuset:/x\n0::/system.slice\n";
  assertEquals(parseCgroup(text, "memory"), { version: 1, path: "/docker/0123abc" });
  const shared = "2:cpu,memory:/a:b\n";
  assertEquals(parseCgroup(shared, "memory"), { version: 1, path: "/a:b" });
});

Deno.test("parseCgroup() returns undefined without a memory cgroup", () => {
  for (const text of ["", "3:cpuset:/\n", "0::\n", "x::/\n", "1:name=memory:/\n", "0:/\n"]) {
    assertEquals(parseCgroup(text, "memory"), undefined, text);
  }
});

Deno.test("cgroupMountFolders() lists a cgroup and its ancestors, innermost first", () => {
  assertEquals(cgroupMountFolders({ version: 2, path: "/a.slice/b.scope" }, [UNIFIED]), [
    "/sys/fs/cgroup/a.slice/b.scope",
    "/sys/fs/cgroup/a.slice",
    "/sys/fs/cgroup",
  ]);
  assertEquals(cgroupMountFolders({ version: 2, path: "/" }, [UNIFIED]), ["/sys/fs/cgroup"]);
});

Deno.test("cgroupMountFolders() starts at the mount's root when it shows a subtree", () => {
  const memory = mount("cgroup", "/sys/fs/cgroup/memory", "/docker/0123abc");
  const folders = (path: string) => cgroupMountFolders({ version: 1, path }, [memory, UNIFIED]);
  assertEquals(folders("/docker/0123abc"), ["/sys/fs/cgroup/memory"]);
  assertEquals(folders("/docker/0123abc/x"), ["/sys/fs/cgroup/memory/x", "/sys/fs/cgroup/memory"]);
  assertEquals(folders("/docker/0123abcd"), []);
  assertEquals(folders("/"), []);
});

Deno.test("cgroupMountFolders() finds nothing when the cgroup is outside the namespace", () => {
  assertEquals(cgroupMountFolders({ version: 2, path: "/../other" }, [UNIFIED]), []);
  assertEquals(cgroupMountFolders({ version: 2, path: "/.." }, [UNIFIED]), []);
  const outside = mount("cgroup2", "/host/cgroup", "/../..");
  assertEquals(cgroupMountFolders({ version: 2, path: "/" }, [outside]), []);
});

Deno.test("cgroupMountFolders() never leaves the mount, whatever the kernel writes", () => {
  let seen = 0;
  fc.assert(fc.property(fc.string({ unit: "binary-ascii" }), (text) => {
    const group = parseCgroup(`0::/${text}`, "memory");
    if (group === undefined) return;
    for (const folder of cgroupMountFolders(group, [UNIFIED])) {
      seen++;
      assert(folder.startsWith("/sys/fs/cgroup"), folder);
      assert(!`${folder}/`.includes("/../"), folder);
    }
  }));
  assert(seen > 10, `only ${seen} folders`);
});

Deno.test("parseMemoryLimit() reads a limit in bytes, and that there is none", () => {
  assertEquals(parseMemoryLimit("536870912\n"), 536870912);
  assertEquals(parseMemoryLimit("0\n"), 0);
  const none = ["9223372036854771712\n", "9223372036854710272\n", "18446744073709551615"];
  for (const text of ["max\n", ...none]) assertEquals(parseMemoryLimit(text), undefined, text);
});

Deno.test("parseMemoryLimit() throws a SyntaxError for any other text, and nothing else", () => {
  for (const text of ["", "-1\n", "1.5", "512M", "max 5", "9".repeat(21), " 5"]) {
    assertThrows(() => parseMemoryLimit(text), SyntaxError, `"${text.split("\n")[0]}"`);
  }
  onlySyntaxErrors(parseMemoryLimit, ["536870912\n", "max\n"]);
});

/** Captured from a kernel 6.18, the middle left out. */
const VERSION_1 = `cache 9420800
swap 0
inactive_anon 0
active_anon 1531904
inactive_file 12288
active_file 339968
unevictable 21778432
hierarchical_memory_limit 9223372036854771712
total_cache 991625216
total_swap 4096
total_swapcached 0
total_inactive_file 251277312
total_active_file 731283456
total_unevictable 21778432
`;

const VERSION_2 = `anon 818249728
file 991625216
kernel 30011392
slab 12345678
inactive_anon 803774464
active_anon 1671168
inactive_file 251277312
active_file 731283456
slab_reclaimable 9000000
slab_unreclaimable 3345678
workingset_refault_file 680180
`;

Deno.test("parseMemoryStat() reads version 1, descendants included", () => {
  assertEquals(parseMemoryStat(VERSION_1, 1), {
    inactiveFileBytes: 251277312,
    activeFileBytes: 731283456,
    reclaimableBytes: undefined,
    swapBytes: 4096,
    hierarchicalLimitBytes: undefined,
    hierarchicalSwapLimitBytes: undefined,
  });
});

Deno.test("parseMemoryStat() reads the limits above a cgroup of version 1", () => {
  const above = "hierarchical_memory_limit 268435456\nhierarchical_memsw_limit 536870912";
  const text = VERSION_1.replace(/hierarchical_memory_limit.*/, above);
  const { hierarchicalLimitBytes, hierarchicalSwapLimitBytes } = parseMemoryStat(text, 1);
  assertEquals([hierarchicalLimitBytes, hierarchicalSwapLimitBytes], [268435456, 536870912]);
});

Deno.test("parseMemoryStat() reads version 2", () => {
  assertEquals(parseMemoryStat(VERSION_2, 2), {
    inactiveFileBytes: 251277312,
    activeFileBytes: 731283456,
    reclaimableBytes: 9000000,
    swapBytes: undefined,
  });
});

const table = [
  ["", `"inactive_file" after ""`],
  ["anon 5\ninactive_file 5\n", `"active_file" after "anon 5"`],
  ["inactive_file x\nactive_file 5\n", `"inactive_file x"`],
  ["inactive_file 5\nactive_file -5\n", `"active_file -5"`],
  ["inactive_file 5\nactive_file 5\nslab_reclaimable \n", `"slab_reclaimable "`],
] as const;
Deno.test("parseMemoryStat() throws a SyntaxError for any other text, and nothing else", () => {
  for (const [text, quoted] of table) {
    assertThrows(() => parseMemoryStat(text, 2), SyntaxError, quoted);
  }
  onlySyntaxErrors((text) => parseMemoryStat(text, 1), [VERSION_1]);
  onlySyntaxErrors((text) => parseMemoryStat(text, 2), [VERSION_2]);
});
