import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { FileArguments } from "../../lib/remote/file_arguments.ts";
import { deleteFile, listFolder } from "../../lib/remote/file_operations.ts";
import { openFiles, withFiles } from "./file_requests_fixture.ts";
import { restoring } from "../restoring.ts";
import { onlyIf } from "../only_on.ts";

const isRoot = Deno.uid() === 0;

withFiles.test("listFolder() shows folders first, and links with what they lead to", async (files) => {
  const { folder } = files;
  await Deno.mkdir(`${folder}/Zoo`, { mode: 0o750 });
  await Deno.writeTextFile(`${folder}/b.txt`, "12345");
  await Deno.writeTextFile(`${folder}/A.txt`, "");
  await Deno.chmod(`${folder}/b.txt`, 0o640);
  await Deno.symlink("Zoo", `${folder}/link`);
  await Deno.symlink("/nowhere at all", `${folder}/dangling`);
  const modified = new Date("2026-05-04T03:02:01.000Z");
  await Deno.utime(`${folder}/b.txt`, modified, modified);
  const infos = await files.result("list", { path: folder });
  assert(Array.isArray(infos));
  assertEquals(infos.map(({ name }) => name), ["link", "Zoo", "A.txt", "b.txt", "dangling"]);
  const [link, zoo, , file, dangling] = infos;
  assertEquals([link.is_dir, link.is_symlink, link.target], [true, true, "Zoo"]);
  assertEquals([zoo.is_dir, zoo.mode, zoo.mode_octal], [true, "drwxr-x---", "0750"]);
  assertEquals(file.path, `${folder}/b.txt`);
  assertEquals([file.size, file.mode, file.mode_octal], [5, "-rw-r-----", "0640"]);
  assertEquals(file.modified_at, "2026-05-04T03:02:01.000Z");
  assertEquals([file.uid, file.gid], [Deno.uid(), Deno.gid()]);
  if (isRoot) assertEquals([file.owner, file.group], ["root", "root"]);
  assertEquals([dangling.is_dir, dangling.is_symlink], [false, true]);
  assertEquals(dangling.mode, "lrwxrwxrwx");
});

withFiles.test("statFile() takes ~ for the home folder, and shows special bits", async (files) => {
  await Deno.writeTextFile(`${files.folder}/x`, "abc");
  await Deno.chmod(`${files.folder}/x`, 0o4644);
  const info = await files.result("stat", { path: "~/x" });
  assert(typeof info === "object" && info !== null && "mode" in info && "mode_octal" in info);
  assertEquals([info.mode, info.mode_octal], ["-rwSr--r--", "4644"]);
});

withFiles.test("listRoots() gives the root folder, and an empty path is the root folder", async (files) => {
  const [root] = [await files.result("list_roots")].flat();
  const same = await files.result("stat", { path: "" });
  assertEquals(root, same);
  assert(typeof same === "object" && same !== null && "path" in same && "name" in same);
  assertEquals([same.path, same.name], ["/", "/"]);
});

withFiles.test("FileRequests gives the reasons in the words that panels look for", async (files) => {
  const { folder } = files;
  await Deno.writeTextFile(`${folder}/file`, "");
  const missing = { path: `${folder}/No Such`, mode: "644", uid: 0 };
  for (const op of ["list", "stat", "delete", "chmod", "chown"]) {
    assertMatch(await files.error(op, missing), /^no such file or directory$/, op);
  }
  const move = { source: `${folder}/No Such`, destination: `${folder}/b` };
  assertEquals(await files.error("move", move), "no such file or directory");
  assertEquals(await files.error("copy", move), "no such file or directory");
  assertEquals(
    await files.error("create", { path: folder }),
    "cannot replace a directory with a file",
  );
  assertEquals(await files.error("create", { path: `${folder}/file/x` }), "file exists");
  assertEquals(await files.error("list", { path: `${folder}/file` }), "not a directory");
  const long = await files.error("create", { path: `${folder}/${"x".repeat(300)}` });
  assertMatch(long, /name too long$/);
});

const here = onlyIf(!isRoot);

here.test('FileRequests says "permission denied" when the system does', async () => {
  await using files = openFiles();
  await Deno.mkdir(`${files.folder}/closed`, { mode: 0 });
  assertEquals(
    await files.error("list", { path: `${files.folder}/closed` }),
    "permission denied",
  );
});

withFiles.test("FileRequests refuses paths that are relative, too long or have a NUL", async (files) => {
  for (const path of ["etc/passwd", "../etc", "~root/x", "./x", "C:\\x", 5]) {
    assertMatch(await files.error("stat", { path }), /^invalid argument: /);
  }
  assertMatch(await files.error("stat", { path: "/etc\0/x" }), /^invalid argument: /);
  assertMatch(await files.error("stat", { path: "/x".repeat(3000) }), /^file name too long/);
});

withFiles.test("FileRequests resolves .. before the system sees it", async (files) => {
  const { folder } = files;
  await Deno.mkdir(`${folder}/a`);
  await Deno.writeTextFile(`${folder}/x`, "1");
  const info = await files.result("stat", { path: `${folder}/a/.././a//../x/` });
  assert(typeof info === "object" && info !== null && "path" in info);
  assertEquals(info.path, `${folder}/x`);
});

withFiles.test("createFile() and makeFolder() make what is not there", async (files) => {
  const { folder } = files;
  assertEquals(await files.result("create", { path: "~/new" }), { created: true, size: 0 });
  assertEquals((await Deno.stat(`${folder}/new`)).mode! & 0o777, 0o644);
  assertEquals(await files.result("mkdir", { path: "~/d/e", mode: "0700" }), { created: true });
  assertEquals((await Deno.stat(`${folder}/d/e`)).mode! & 0o777, 0o700);
  assertEquals(await files.result("mkdir", { path: "~/d/e", mode: "" }), { created: true });
  assertEquals((await Deno.stat(`${folder}/d/e`)).mode! & 0o777, 0o700);
  // One that exists keeps its mode; of a new one the process's own mask takes nothing away.
  assertEquals(await files.result("mkdir", { path: "~/d/e", mode: "0755" }), { created: true });
  assertEquals((await Deno.stat(`${folder}/d/e`)).mode! & 0o777, 0o700);
  assertEquals(await files.result("mkdir", { path: "~/d/f", mode: "1777" }), { created: true });
  assertEquals((await Deno.stat(`${folder}/d/f`)).mode! & 0o7777, 0o1777);
  assertMatch(await files.error("mkdir", { path: "~/f", mode: "rwx" }), /no octal mode/);
  assertEquals(await files.error("mkdir", { path: "~/new" }), "file exists");
});

withFiles.test("createFile() makes the folders that are missing, as the official agent does", async (files) => {
  assertEquals(await files.result("create", { path: "~/a/b/c" }), { created: true, size: 0 });
  assertEquals((await Deno.stat(`${files.folder}/a/b/c`)).size, 0);
});

withFiles.test("createFile() empties a file and keeps its mode, as the official agent does", async (files) => {
  const path = `${files.folder}/script`;
  await Deno.writeTextFile(path, "content");
  await Deno.chmod(path, 0o750);
  const { ino } = await Deno.stat(path);
  assertEquals(await files.result("create", { path: "~/script" }), { created: true, size: 0 });
  const after = await Deno.stat(path);
  assertEquals([after.size, after.mode! & 0o777, after.ino], [0, 0o750, ino]);
});

withFiles.test("createFile() treats links as uploads do", async (files) => {
  const { folder } = files;
  await Deno.writeTextFile(`${folder}/file`, "content");
  await Deno.symlink(`${folder}/file`, `${folder}/link`);
  await Deno.symlink(`${folder}/elsewhere`, `${folder}/dangling`);
  for (const name of ["link", "dangling"]) {
    assertEquals(await files.result("create", { path: `~/${name}` }), { created: true, size: 0 });
  }
  assertEquals((await Deno.lstat(`${folder}/link`)).isSymlink, true);
  assertEquals((await Deno.stat(`${folder}/file`)).size, 0);
  assertEquals((await Deno.lstat(`${folder}/dangling`)).isFile, true);
  await files.error("stat", { path: "~/elsewhere" });
});

withFiles.test("createFile() opens nothing but files", async (files) => {
  await new Deno.Command("mkfifo", { args: [`${files.folder}/fifo`] }).output();
  await files.error("create", { path: "~/fifo" });
  assertEquals((await Deno.stat(`${files.folder}/fifo`)).isFifo, true);
});

withFiles.test("deleteFile() deletes links, not what they lead to", async (files) => {
  const { folder } = files;
  await Deno.mkdir(`${folder}/tree/deep`, { recursive: true });
  await Deno.mkdir(`${folder}/kept`);
  await Deno.writeTextFile(`${folder}/kept/file`, "1");
  await Deno.symlink(`${folder}/kept`, `${folder}/tree/deep/link`);
  await Deno.symlink(`${folder}/kept`, `${folder}/link`);
  await Deno.symlink(`${folder}/tree`, `${folder}/tree/deep/loop`);
  assertEquals(await files.result("delete", { path: "~/tree" }), { deleted: true });
  assertEquals(await files.result("delete", { path: "~/link/" }), { deleted: true });
  assertEquals(files.names(), ["kept"]);
  assertEquals(await Deno.readTextFile(`${folder}/kept/file`), "1");
});

withFiles.test("changeMode() and changeOwner() give what was set", async (files) => {
  const { folder } = files;
  await Deno.writeTextFile(`${folder}/x`, "1");
  assertEquals(await files.result("chmod", { path: "~/x", mode: "0o600" }), { mode: "0600" });
  assertEquals((await Deno.stat(`${folder}/x`)).mode! & 0o7777, 0o600);
  for (const mode of ["", "999", "77777", "rw"]) {
    await files.error("chmod", { path: "~/x", mode });
  }
  const own = { path: "~/x", uid: Deno.uid(), group: String(Deno.gid()) };
  assertEquals(await files.result("chown", own), { uid: Deno.uid(), gid: Deno.gid() });
  assertEquals(await files.result("chown", { ...own, uid: -1 }), { uid: -1, gid: Deno.gid() });
  for (const args of [{}, { uid: 1.5 }, { uid: -2 }, { owner: "no such account" }]) {
    assertMatch(await files.error("chown", { path: "~/x", ...args }), /^invalid argument/);
  }
});

withFiles.test("listFolder() and statFile() look at devices and FIFOs without opening them", async (files) => {
  await new Deno.Command("mkfifo", { args: [`${files.folder}/fifo`] }).output();
  const infos = await files.result("list", { path: files.folder });
  assertEquals([infos].flat().length, 1);
  const info = await files.result("stat", { path: "/dev/null" });
  assert(typeof info === "object" && info !== null && "mode" in info);
  assertMatch(String(info.mode), /^c/);
});

Deno.test("listFolder() refuses a folder with more than 20,000 entries", async () => {
  const { signal } = new AbortController();
  const listed = async (count: number) => {
    const entry = { isDirectory: false, isFile: true, isSymlink: false };
    // None of them is there.
    using _ = restoring(Deno, "readDir");
    Deno.readDir = async function* () {
      for (let at = 0; at < count; at++) yield { name: `not-here-${at}`, ...entry };
    };
    return await listFolder(new FileArguments({ path: "/nowhere" }, "/"), signal);
  };
  assertEquals(await listed(20_000), []);
  await assertRejects(() => listed(20_001), RangeError, "more than 20000 entries");
});

Deno.test("changeOwner() takes numbers up to the last one that the kernel gives", async () => {
  const asked: unknown[] = [];
  using _ = restoring(Deno, "chown");
  // No owner is changed.
  Deno.chown = (_path, uid, gid) => Promise.resolve(void asked.push([uid, gid]));
  await using files = openFiles();
  const change = (args: Record<string, unknown>) =>
    files.ask("chown", { path: "~", ...args }).then(({ error }) => error);
  const table = [
    [{ uid: 2 ** 32 - 2 }, ""],
    [{ owner: "4294967294", gid: -1 }, ""],
    [{ group: "root", uid: -1 }, ""],
    [{ uid: 2 ** 32 - 1 }, "invalid argument: uid must be a whole number from -1 to 4294967294"],
    [{ uid: -2 }, "invalid argument: uid must be a whole number from -1 to 4294967294"],
    [{ owner: "4294967295" }, "invalid argument: owner is unknown on this machine"],
    [{ owner: "no such account" }, "invalid argument: owner is unknown on this machine"],
    [{ uid: -1, gid: -1 }, "invalid argument: no owner and no group"],
    [{}, "invalid argument: no owner and no group"],
  ] as const;
  for (const [args, error] of table) assertEquals(await change(args), error);
  assertEquals(asked, [[2 ** 32 - 2, null], [2 ** 32 - 2, null], [null, 0]]);
});

Deno.test("listFolder() gives paths without a slash to spare, and ends when it is told", async () => {
  const roots = await listFolder(
    new FileArguments({ path: "/" }, "/"),
    new AbortController().signal,
  );
  assert(roots.length > 0);
  for (const { path, name } of roots) assertEquals(path, `/${name}`);
  const over = AbortSignal.abort(new Error("the time is over"));
  const listing = () => listFolder(new FileArguments({ path: "/" }, "/"), over);
  await assertRejects(listing, Error, "the time is over");
});

Deno.test("deleteFile() deletes no folder that is the root folder by another path", async () => {
  const { lstat } = Deno;
  const removed: unknown[] = [];
  using _ = restoring(Deno, "remove", "lstat");
  // Nothing is removed at all.
  Deno.remove = (path) => Promise.resolve(void removed.push(path));
  // Every path is a mount of the root folder.
  Deno.lstat = () => lstat("/");
  const args = new FileArguments({ path: "/nowhere/at/all" }, "/");
  await assertRejects(() => deleteFile(args), TypeError, "operation not permitted");
  assertEquals(removed, []);
});
