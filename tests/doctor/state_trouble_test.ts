import { assertEquals } from "@std/assert";
import { stateTrouble } from "../../lib/doctor/state_trouble.ts";
import { withTexts } from "../replaced.ts";
import { inFolder } from "../temp_folder.ts";

inFolder.test("stateTrouble() sees a folder that is full, read-only, gone or another user's", async ({ path }) => {
  const stateFolder = Deno.realPathSync(path);
  const found = (folder = stateFolder, seal = "") =>
    stateTrouble({ stateFolder: folder, pid: Deno.pid, seal });
  const { promises } = await import("node:fs");
  const full = async (bavail: number, ffree: number, blocks = 9) => {
    const { statfs } = promises;
    Object.assign(promises, { statfs: () => Promise.resolve({ blocks, bavail, ffree, files: 9 }) });
    try {
      return await found();
    } finally {
      Object.assign(promises, { statfs });
    }
  };
  Deno.chmodSync(stateFolder, 0o700);
  assertEquals(await found(), undefined);
  assertEquals(await full(7, 3), undefined);
  assertEquals(await full(0, 3), `the disk of ${stateFolder} is full`);
  assertEquals(await full(0, 3, 0), undefined, "a file system without a size");
  assertEquals(await full(7, 0), `all inodes of the disk of ${stateFolder} are used`);
  assertEquals(await found(`${stateFolder}/none`), `${stateFolder}/none is not there`);
  assertEquals(
    await stateTrouble({ stateFolder: undefined, pid: Deno.pid, seal: "" }),
    undefined,
    "it keeps none",
  );
  {
    const mountinfo = `21 1 8:1 / ${stateFolder} rw - ext4 /dev/sda1 ro`;
    using _ = withTexts((file) => file === "/proc/self/mountinfo" ? mountinfo : undefined);
    assertEquals(await found(), `${stateFolder} is read-only`);
  }
  const passwd = `me:x:${Deno.uid()}:0::/:/bin/sh`;
  using _ = withTexts((file) => file === "/etc/passwd" ? passwd : undefined);
  Deno.chmodSync(stateFolder, 0o500);
  assertEquals(await found(), `user me may not use ${stateFolder}`);
  const asNobody = "sealed by the kernel and the runtime (root until sealed, then nobody)";
  assertEquals(await found(stateFolder, asNobody), undefined, "it is root again at its next start");
});
