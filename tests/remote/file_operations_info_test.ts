import { assertEquals } from "@std/assert";
import { describeFile, readOwnerNames } from "../../lib/remote/file_operations.ts";
import { TempFolder } from "../temp_folder.ts";
import { restoring } from "../restoring.ts";

Deno.test("describeFile() writes modes as ls does, with setuid, setgid and sticky", async () => {
  using folder = new TempFolder();
  const owners = await readOwnerNames();
  const shown = async (mode: number) => {
    Deno.chmodSync(folder.path, mode);
    const info = await describeFile(folder.path, owners);
    return `${info.mode} ${info.mode_octal}`;
  };
  assertEquals(await shown(0o1777), "drwxrwxrwt 1777");
  assertEquals(await shown(0o1776), "drwxrwxrwT 1776");
  assertEquals(await shown(0o6711), "drws--s--x 6711");
  assertEquals(await shown(0o6600), "drwS--S--- 6600");
  assertEquals(await shown(0o700), "drwx------ 0700");
});

Deno.test("describeFile() names owner and group by their numbers, and each kind of file", async () => {
  const { lstat } = Deno;
  const seen = await lstat("/");
  const owners = { users: new Map([[1, "user one"]]), groups: new Map([[2, "group two"]]) };
  const described = async (what: Partial<Deno.FileInfo>) => {
    Deno.lstat = () => Promise.resolve({ ...seen, ...what });
    return await describeFile("/none/x", owners).finally(() => Deno.lstat = lstat);
  };
  const known = await described({ uid: 1, gid: 2 });
  assertEquals([known.uid, known.gid, known.owner, known.group], [1, 2, "user one", "group two"]);
  const unknown = await described({ uid: 2, gid: 1 });
  assertEquals([unknown.uid, unknown.gid, unknown.owner, unknown.group], [2, 1, "2", "1"]);
  for (
    const [kind, letter] of [[4, "d"], [1, "p"], [12, "s"], [6, "b"], [2, "c"], [8, "-"]] as const
  ) {
    const { mode } = await described({ mode: kind * 0o10000 + 0o124 });
    assertEquals(mode, `${letter}--x-w-r--`);
  }
});

Deno.test("readOwnerNames() reads accounts and groups, each from its own file", async () => {
  const { stat } = Deno;
  const seen = await stat("/");
  using _ = restoring(Deno, "stat", "readTextFile");
  Deno.stat = () => Promise.resolve({ ...seen, isFile: true, size: 1 });
  Deno.readTextFile = (path) => Promise.resolve(`${path}:x:7:7::/:/bin/sh\n`);
  const { users, groups } = await readOwnerNames();
  assertEquals([users.get(7), groups.get(7)], ["/etc/passwd", "/etc/group"]);
});

Deno.test("readOwnerNames() reads files of 4 MiB, and nothing else", async () => {
  const { stat } = Deno;
  const seen = await stat("/");
  const MIB = 1024 * 1024;
  using _ = restoring(Deno, "stat", "readTextFile");
  Deno.readTextFile = () => Promise.resolve("somebody:x:7:7::/:/bin/sh\n");
  const table = [
    [{ isFile: true, size: 4 * MIB }, "somebody"],
    [{ isFile: true, size: 4 * MIB + 1 }, undefined],
    [{ isFile: false, size: 0 }, undefined],
  ] as const;
  for (const [what, name] of table) {
    Deno.stat = () => Promise.resolve({ ...seen, ...what });
    const { users, groups } = await readOwnerNames();
    assertEquals([users.get(7), groups.get(7)], [name, name]);
  }
});

Deno.test("describeFile() describes a link that leads nowhere, one that can't be read, and the root", async () => {
  const owners = { users: new Map(), groups: new Map() };
  using folder = new TempFolder();
  using _ = restoring(Deno, "readLink");
  const path = `${folder.path}/link`;
  Deno.symlinkSync("missing", path);
  const link = await describeFile(path, owners);
  assertEquals([link.name, link.is_symlink, link.mode.at(0)], ["link", true, "l"]);
  assertEquals([link.is_dir, link.target], [false, "missing"]);
  Deno.readLink = () => Promise.reject(new Deno.errors.PermissionDenied("permission denied"));
  assertEquals((await describeFile(path, owners)).target, undefined);
  const root = await describeFile("/", owners);
  assertEquals([root.name, root.path, root.is_dir], ["/", "/", true]);
});
