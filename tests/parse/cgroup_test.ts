import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { cgroupMountFolders, parseMemoryCgroup } from "../../lib/parse/cgroup.ts";
import type { Mount } from "../../lib/parse/mountinfo.ts";

function mount(type: string, mountPoint: string, root = "/"): Mount {
  return { device: "0:30", root, mountPoint, type, source: type };
}

const UNIFIED = mount("cgroup2", "/sys/fs/cgroup");

Deno.test("parseMemoryCgroup() reads the one line of version 2", () => {
  const path = "/system.slice/docker-0123abc.scope";
  assertEquals(parseMemoryCgroup(`0::${path}\n`), { version: 2, path });
  assertEquals(parseMemoryCgroup("0::/\n"), { version: 2, path: "/" });
});

Deno.test("parseMemoryCgroup() takes the hierarchy of version 1 that counts memory", () => {
  const text = "9:name=systemd:/\n4:memory:/docker/0123abc\n3:cpuset:/x\n0::/system.slice\n";
  assertEquals(parseMemoryCgroup(text), { version: 1, path: "/docker/0123abc" });
  const shared = "2:cpu,memory:/a:b\n";
  assertEquals(parseMemoryCgroup(shared), { version: 1, path: "/a:b" });
});

Deno.test("parseMemoryCgroup() gives nothing when memory is counted nowhere", () => {
  for (const text of ["", "3:cpuset:/\n", "0::\n", "x::/\n", "1:name=memory:/\n", "0:/\n"]) {
    assertEquals(parseMemoryCgroup(text), undefined, text);
  }
});

Deno.test("cgroupMountFolders() gives the group and those around it, the innermost first", () => {
  assertEquals(cgroupMountFolders({ version: 2, path: "/a.slice/b.scope" }, [UNIFIED]), [
    "/sys/fs/cgroup/a.slice/b.scope",
    "/sys/fs/cgroup/a.slice",
    "/sys/fs/cgroup",
  ]);
  assertEquals(cgroupMountFolders({ version: 2, path: "/" }, [UNIFIED]), ["/sys/fs/cgroup"]);
});

Deno.test("cgroupMountFolders() starts where the mount starts when it shows a part alone", () => {
  const memory = mount("cgroup", "/sys/fs/cgroup/memory", "/docker/0123abc");
  const folders = (path: string) => cgroupMountFolders({ version: 1, path }, [memory, UNIFIED]);
  assertEquals(folders("/docker/0123abc"), ["/sys/fs/cgroup/memory"]);
  assertEquals(folders("/docker/0123abc/x"), ["/sys/fs/cgroup/memory/x", "/sys/fs/cgroup/memory"]);
  assertEquals(folders("/docker/0123abcd"), []);
  assertEquals(folders("/"), []);
});

Deno.test("cgroupMountFolders() finds nothing when the group lies outside of the namespace", () => {
  assertEquals(cgroupMountFolders({ version: 2, path: "/../other" }, [UNIFIED]), []);
  assertEquals(cgroupMountFolders({ version: 2, path: "/.." }, [UNIFIED]), []);
  const outside = mount("cgroup2", "/host/cgroup", "/../..");
  assertEquals(cgroupMountFolders({ version: 2, path: "/" }, [outside]), []);
});

Deno.test("cgroupMountFolders() never leaves the mount, whatever the kernel writes", () => {
  fc.assert(fc.property(fc.string({ unit: "binary-ascii" }), (text) => {
    const group = parseMemoryCgroup(`0::/${text}`);
    if (group === undefined) return;
    for (const folder of cgroupMountFolders(group, [UNIFIED])) {
      assert(folder.startsWith("/sys/fs/cgroup"), folder);
      assert(!`${folder}/`.includes("/../"), folder);
    }
  }));
});
