import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { deleteFile, type FileInfo, listFolder } from "../../lib/remote/file_operations.ts";
import { FileArguments } from "../../lib/remote/file_arguments.ts";
import { contextOf, FakeFolders, openFiles, withFiles } from "./file_requests_fixture.ts";
import { restoring } from "../restoring.ts";

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

withFiles.test("FileRequests gives path and reason in the words that panels look for", async (files) => {
  const { folder } = files;
  await Deno.mkdir(`${folder}/Tree/below`, { recursive: true });
  await Deno.writeTextFile(`${folder}/file`, "");
  const path = (name: string) => ({ path: `~/${name}`, mode: "644", uid: 0 });
  const way = (source: string, destination: string) => ({
    source: `~/${source}`,
    destination: `~/${destination}`,
  });
  const missing = "No Such: no such file or directory";
  const cases: [op: string, args: Record<string, unknown>, error: string][] = [
    ...["list", "stat", "delete", "chmod", "chown", "search"].map((
      op,
    ): [string, Record<string, unknown>, string] => [
      op,
      { ...path("No Such"), query: "x" },
      missing,
    ]),
    ["move", way("No Such", "b"), missing],
    ["copy", way("No Such", "b"), missing],
    ["create", path("Tree"), "Tree: cannot replace a directory with a file"],
    ["create", path("file/x"), "file: file exists"],
    ["mkdir", path("file"), "file: file exists"],
    ["list", path("file"), "file: not a directory"],
    [
      "move",
      way("Tree", "Tree/below/x"),
      `Tree: a folder cannot be moved into itself, to ${folder}/Tree/below/x`,
    ],
    [
      "copy",
      way("Tree", "Tree/below/x"),
      `Tree: cannot copy a folder into itself, to ${folder}/Tree/below/x`,
    ],
    [
      "stat",
      path("\ufffd"),
      "\ufffd: no such file or directory (a name that is not UTF-8 can be used in a terminal only)",
    ],
  ];
  for (const [op, args, error] of cases) {
    assertEquals(await files.error(op, args), `${folder}/${error}`, op);
  }
  assertMatch(await files.error("create", path("x".repeat(300))), /name too long$/);
});

/** Shell words that make names: one of each kind of its folder is not UTF-8. */
withFiles.test("listFolder() and searchFiles() show names that are not UTF-8, with what is known of them", async (files) => {
  const script =
    "mkdir d; cd d; printf xyz > \"$(printf 'a\\377')\"; mkdir \"$(printf 'b\\377')\"; " +
    "ln -s x \"$(printf 'c\\377')\"; chmod 640 a*; touch -d @1000 a*; touch 'd\ufffd' \u00e9";
  const { success } = await new Deno.Command("sh", { args: ["-c", script], cwd: files.folder })
    .output();
  assert(success);
  const list = await files.result("list", { path: "~/d" });
  assert(Array.isArray(list));
  const of = ({ name, size, mode, is_dir, is_symlink, modified_at }: FileInfo) =>
    [name, is_dir || is_symlink ? 0 : size, mode, is_dir, is_symlink, modified_at.slice(0, 4)].join(
      " ",
    );
  const year = new Date().getFullYear();
  assertEquals(list.map(of), [
    `b\ufffd 0 drwxr-xr-x true false ${year}`,
    "a\ufffd 3 -rw-r----- false false 1970",
    `c\ufffd 0 lrwxrwxrwx false true ${year}`,
    `d\ufffd 0 -rw-r--r-- false false ${year}`,
    `\u00e9 0 -rw-r--r-- false false ${year}`,
  ]);
  const found = await files.result("search", { path: "~/d", query: "\ufffd" });
  assert(typeof found === "object" && found !== null && "matches" in found);
  assertEquals(Array.isArray(found.matches) && found.matches.length, 4);
  assertEquals(await files.result("copy", { source: "~/d", destination: "~/e" }), {
    copied: true,
    skipped: 3,
  });
  assertEquals(files.names("e"), ["d\ufffd", "\u00e9"]);
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

Deno.test("listFolder() lists up to 8 MiB, one long list at a time, and then says how many there are", async () => {
  const path = "/proc/self";
  // Names that are there take 250 bytes and more each, and all others are left out.
  const names = (count: number) =>
    Array.from({ length: count }, (_, at) => at % 2 ? "fd" : `${at}`);
  const list = (count: number, folders = new FakeFolders(() => names(count))) =>
    listFolder(new FileArguments({ path }, "/"), contextOf(undefined, folders));
  assertEquals((await list(30_000)).length, 15_000);
  const tooMany = (count: number) =>
    `${path}: the folder has ${count} entries, too many for a list`;
  await assertRejects(() => list(41_944), Error, tooMany(41_944));
  const all = new FakeFolders(() => Array(40_000).fill(`${"./".repeat(20)}fd`));
  await assertRejects(() => list(0, all), Error, tooMany(40_000));
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
  const args = new FileArguments({ path: "/" }, "/");
  const roots = await listFolder(args, contextOf());
  assert(roots.length > 0);
  for (const { path, name } of roots) assertEquals(path, `/${name}`);
  const over = contextOf(AbortSignal.abort(new Error("the time is over")));
  await assertRejects(() => listFolder(args, over), Error, "the time is over");
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
