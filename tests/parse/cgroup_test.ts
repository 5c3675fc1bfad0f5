import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  cgroupMountFolders,
  parseCgroup,
  parseMemoryLimit,
  parseMemoryStat,
} from "../../lib/parse/cgroup.ts";
import { same } from "../cases.ts";
import { onlySyntaxErrors, throwsFor } from "./only_syntax_errors.ts";

const UNIFIED = { type: "cgroup2", root: "/", mountPoint: "/sys/fs/cgroup" };
const OLD = { type: "cgroup", root: "/docker/0123abc", mountPoint: "/sys/fs/cgroup/memory" };

Deno.test("parseCgroup() reads the one line of version 2, and uses the memory hierarchy of version 1", async () => {
  await same(parseCgroup, [
    ["0::/a.slice/docker-0123abc.scope\n", { version: 2, path: "/a.slice/docker-0123abc.scope" }],
    ["0::/\n", { version: 2, path: "/" }],
    ["9:name=systemd:/\n4:memory:/d/0\n3:cpuset:/x\n0::/y\n", { version: 1, path: "/d/0" }],
    ["2:cpu,memory:/a:b\n", { version: 1, path: "/a:b" }],
    ...["", "3:cpuset:/\n", "0::\n", "x::/\n", "1:name=memory:/\n", "0:/\n"].map((text) =>
      [text, undefined] as const
    ),
  ]);
});

Deno.test("cgroupMountFolders() lists a cgroup and those above it as far as the mount shows them", async () => {
  const [top, old] = [UNIFIED.mountPoint, OLD.mountPoint];
  await same((path) => cgroupMountFolders({ version: 2, path }, [OLD, UNIFIED]), [
    ["/a.slice/b.scope", [`${top}/a.slice/b.scope`, `${top}/a.slice`, top]],
    ["/", [top]],
    ["/../other", []],
    ["/..", []],
  ]);
  await same((path) => cgroupMountFolders({ version: 1, path }, [OLD, UNIFIED]), [
    ["/docker/0123abc", [old]],
    ["/docker/0123abc/x", [`${old}/x`, old]],
    ["/docker/0123abcd", []],
    ["/", []],
  ]);
  assertEquals(cgroupMountFolders({ version: 2, path: "/" }, [{ ...UNIFIED, root: "/../.." }]), []);
});

Deno.test("cgroupMountFolders() never leaves the mount, whatever the kernel writes", () => {
  let seen = 0;
  fc.assert(fc.property(fc.string({ unit: "binary-ascii" }), (text) => {
    const group = parseCgroup(`0::/${text}`);
    if (group === undefined) return;
    for (const folder of cgroupMountFolders(group, [UNIFIED])) {
      seen++;
      assert(folder.startsWith("/sys/fs/cgroup") && !`${folder}/`.includes("/../"), folder);
    }
  }));
  assert(seen > 10, `only ${seen} folders`);
});

Deno.test("parseMemoryLimit() reads a limit in bytes, and that there is none, and throws for any other text", async () => {
  await same(parseMemoryLimit, [
    ["536870912\n", 536870912],
    ["0\n", 0],
    ["max\n", undefined],
    ["9223372036854771712\n", undefined],
    ["18446744073709551615", undefined],
  ]);
  throwsFor(parseMemoryLimit, ["", "-1", "1.5", "512M", "max 5", "9".repeat(21), " 5"]);
  onlySyntaxErrors(parseMemoryLimit, ["536870912\n", "max\n"]);
});

/** Captured from a kernel 6.18, the middle left out. */
const VERSION_1 = `cache 9420800
inactive_file 12288
active_file 339968
total_cache 991625216
total_swap 4096
total_swapcached 0
total_inactive_file 251277312
total_active_file 731283456
`;
const VERSION_2 = `anon 818249728
slab 12345678
inactive_file 251277312
active_file 731283456
slab_reclaimable 9000000
slab_unreclaimable 3345678
`;

Deno.test("parseMemoryStat() reads both versions, descendants included", () => {
  const files = { inactiveFileBytes: 251277312, activeFileBytes: 731283456 };
  assertEquals(parseMemoryStat(VERSION_1, 1), {
    ...{ ...files, reclaimableBytes: undefined, swapBytes: 4096 },
  });
  assertEquals(parseMemoryStat(VERSION_2, 2), {
    ...{ ...files, reclaimableBytes: 9000000, swapBytes: undefined },
  });
});

Deno.test("parseMemoryStat() throws a SyntaxError for any other text, and nothing else", () => {
  const rows = [
    ["", `"inactive_file" after ""`],
    ["anon 5\ninactive_file 5\n", `"active_file" after "anon 5"`],
    ["inactive_file x\nactive_file 5\n", `"inactive_file x"`],
    ["inactive_file 5\nactive_file -5\n", `"active_file -5"`],
    ["inactive_file 5\nactive_file 5\nslab_reclaimable \n", `"slab_reclaimable "`],
  ] as const;
  for (const [text, quoted] of rows) {
    assertThrows(() => parseMemoryStat(text, 2), SyntaxError, quoted);
  }
  onlySyntaxErrors((text) => parseMemoryStat(text, 1), [VERSION_1]);
  onlySyntaxErrors((text) => parseMemoryStat(text, 2), [VERSION_2]);
});
