import { assertEquals } from "@std/assert";
import { describeFile, readOwnerNames } from "../../lib/remote/file_info.ts";

Deno.test("describeFile() writes modes as ls does, with setuid, setgid and sticky", async () => {
  const folder = Deno.makeTempDirSync();
  const owners = await readOwnerNames();
  try {
    const shown = async (mode: number) => {
      Deno.chmodSync(folder, mode);
      const info = await describeFile(folder, owners);
      return `${info.mode} ${info.mode_octal}`;
    };
    assertEquals(await shown(0o1777), "drwxrwxrwt 1777");
    assertEquals(await shown(0o1776), "drwxrwxrwT 1776");
    assertEquals(await shown(0o6711), "drws--s--x 6711");
    assertEquals(await shown(0o6600), "drwS--S--- 6600");
    assertEquals(await shown(0o700), "drwx------ 0700");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("readOwnerNames() reads files of 4 MiB, and nothing else", async () => {
  const { stat, readTextFile } = Deno;
  const seen = await stat("/");
  const MIB = 1024 * 1024;
  try {
    Deno.readTextFile = () => Promise.resolve("somebody:x:7:7::/:/bin/sh\n");
    for (
      const [what, name] of [
        [{ isFile: true, size: 4 * MIB }, "somebody"],
        [{ isFile: true, size: 4 * MIB + 1 }, undefined],
        [{ isFile: false, size: 0 }, undefined],
      ] as const
    ) {
      Deno.stat = () => Promise.resolve({ ...seen, ...what });
      const { users, groups } = await readOwnerNames();
      assertEquals([users.get(7), groups.get(7)], [name, name]);
    }
  } finally {
    Object.assign(Deno, { stat, readTextFile });
  }
});
