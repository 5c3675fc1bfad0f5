import { assertEquals } from "@std/assert";
import { hostRoots } from "../../lib/metrics/open_machine.ts";

const OWN = { proc: "/proc", sys: "/sys", root: "/" };

Deno.test("hostRoots() are this machine's without another /proc", () => {
  assertEquals([hostRoots(""), hostRoots("/proc")], [OWN, OWN]);
});

Deno.test("hostRoots() finds the root and /sys beside another /proc, as far as they are there", async () => {
  const folder = await Deno.makeTempDir();
  const proc = `${folder}/proc`;
  try {
    assertEquals(hostRoots(proc), { proc, sys: "/sys", root: `${proc}/1/root` });
    await Deno.mkdir(`${folder}/etc`);
    assertEquals(hostRoots(proc), { proc, sys: "/sys", root: folder });
    await Deno.mkdir(`${folder}/sys/class/net`, { recursive: true });
    assertEquals(hostRoots(proc), { proc, sys: `${folder}/sys`, root: folder });
    await Deno.mkdir(`${proc}/1/root/sys/class/net`, { recursive: true });
    await Deno.remove(`${folder}/etc`);
    const root = `${proc}/1/root`;
    assertEquals(hostRoots(proc), { proc, sys: `${root}/sys`, root });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
