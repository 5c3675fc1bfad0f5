import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { FileArguments } from "../../lib/remote/file_arguments.ts";
import { deleteFile, type FileInfo, listFolder } from "../../lib/remote/file_operations.ts";
import { cases, sameLater } from "../cases.ts";
import { replaced } from "../replaced.ts";
import { restoring } from "../restoring.ts";
import { contextOf, FakeFolders, type FilesUnderTest, withFiles } from "./file_requests_fixture.ts";

/** An entry as a line: name, kinds, what `ls` shows, size of a file, time, target. */
function lineOf(info: FileInfo): string {
  const { name, is_dir, is_symlink, mode, mode_octal, size, modified_at, target = "" } = info;
  const kinds = `${is_dir ? "folder" : "file"}${is_symlink ? " link" : ""}`;
  const bytes = is_dir ? "-" : size;
  return `${name} ${kinds} ${mode} ${mode_octal} ${bytes} ${modified_at.slice(0, 4)} ${target}`
    .trim();
}

async function list(files: FilesUnderTest, path: string): Promise<string[]> {
  const infos = await listFolder(new FileArguments({ path }, files.folder), contextOf());
  return infos.map(lineOf);
}

withFiles.test("listFolder() shows folders first, links with what they lead to, and names that are not UTF-8", async (files) => {
  await files.sh(`mkdir d; cd d; mkdir -m 750 Zoo; printf 12345 >b.txt; : >A.txt; chmod 640 b.txt
    ln -s Zoo link; ln -s "/nowhere at all" dangling; mkfifo fifo; ln -s b.txt toFile
    printf xyz > "$(printf 'x\\377')"; mkdir "$(printf 'x\\376')"; ln -s x "$(printf 'y\\377')"; : >é
    touch -hd 2001-02-03 .* * 2>/dev/null; touch -d 2002-02-03 Zoo "$(printf 'x\\377')"`);
  assertEquals(await list(files, "~/d"), [
    "link folder link drwxr-x--- 0750 - 2002 Zoo",
    "x\ufffd folder drwxr-xr-x 0755 - 2001",
    "Zoo folder drwxr-x--- 0750 - 2002",
    "A.txt file -rw-r--r-- 0644 0 2001",
    "b.txt file -rw-r----- 0640 5 2001",
    "dangling file link lrwxrwxrwx 0777 15 2001 /nowhere at all",
    "fifo file prw-r--r-- 0644 0 2001",
    "toFile file link -rw-r----- 0640 5 2001 b.txt",
    "x\ufffd file -rw-r--r-- 0644 3 2002",
    "y\ufffd file link lrwxrwxrwx 0777 1 2001",
    "é file -rw-r--r-- 0644 0 2001",
  ]);
  assertMatch(await files.outcome("search", { path: "~/d", query: "\ufffd" }), /(path.*){3}/);
  assertEquals(await files.transfer("copy", "d", "e"), '{"copied":true,"skipped":4}');
  assertEquals(files.names("e"), ["A.txt", "Zoo", "b.txt", "dangling", "link", "toFile", "é"]);
});

withFiles.test("statFile() shows special bits, kinds, owners and the paths that are meant", async (files) => {
  await files.sh(": >file; mkdir a; ln -s missing link");
  const stat = async (path: string) => Object(await files.result("stat", { path }));
  await sameLater(async (mode) => {
    await Deno.chmod(`${files.folder}/file`, mode);
    const { mode: text, mode_octal } = await stat("~/file");
    return `${text} ${mode_octal}`;
  }, [
    [0o1777, "-rwxrwxrwt 1777"],
    [0o1776, "-rwxrwxrwT 1776"],
    [0o6711, "-rws--s--x 6711"],
    [0o6600, "-rwS--S--- 6600"],
    [0o124, "---x-w-r-- 0124"],
  ]);
  const { path, uid, gid, owner } = await stat(`${files.folder}/a/.././a//../file/`);
  assertEquals([path, uid, gid], [`${files.folder}/file`, Deno.uid(), Deno.gid()]);
  if (uid === 0) assertEquals(owner, "root");
  assertMatch((await stat("/dev/null")).mode, /^c/);
  const root = await stat("");
  assertEquals([root.path, root.name, root.is_dir], ["/", "/", true]);
  assertEquals(await files.result("list_roots"), [root]);
  using _ = restoring(Deno, "lstat", "readTextFile", "readLink");
  Deno.readTextFile = (path) => Promise.resolve(`${path}:x:7:7::/:/bin/sh\n`);
  Deno.readLink = () => Promise.reject(new Deno.errors.PermissionDenied("permission denied"));
  assertEquals((await stat("~/link")).target, undefined);
  const seen = await Deno.lstat("/");
  for (const [kind, letter] of [[4, "d"], [1, "p"], [12, "s"], [6, "b"], [2, "c"], [8, "-"]]) {
    const mode = Number(kind) * 0o10000;
    Deno.lstat = () => Promise.resolve({ ...seen, mode, uid: 7, gid: kind === 4 ? 7 : 8 });
    const info = await stat("/x");
    assertEquals([info.mode[0], info.owner], [letter, "/etc/passwd"]);
    assertEquals(info.group, kind === 4 ? "/etc/group" : "8");
  }
});

const FAILURES = cases(`
list ~/No Such → ~/No Such: no such file or directory
stat ~/No Such → ~/No Such: no such file or directory
delete ~/No Such → ~/No Such: no such file or directory
chmod ~/No Such → ~/No Such: no such file or directory
chown ~/No Such → ~/No Such: no such file or directory
search ~/No Such → ~/No Such: no such file or directory
create ~/Tree → ~/Tree: cannot replace a directory with a file
create ~/file/x → ~/file: file exists
create ~/fifo → ~/fifo: not a regular file
create /dev/null → /dev/null: not a regular file
mkdir ~/file → ~/file: file exists
list ~/file → ~/file: not a directory
move ~/Tree → ~/Tree to ~/Tree/below/x: a folder cannot be moved into itself
copy ~/Tree → ~/Tree to ~/Tree/below/x: cannot copy a folder into itself
stat ~/\ufffd
  → ~/\ufffd: no such file or directory (a name that is not UTF-8 can be used in a terminal only)
`);

withFiles.test("FileRequests gives path and reason in the words that panels look for", async (files) => {
  await files.sh("mkdir -p Tree/below; : >file; mkfifo fifo");
  await sameLater((line) => {
    const [op = "", name = ""] = line.split(/ (.*)/);
    const path = name.replace("~", files.folder);
    const transfer = { source: path, destination: `${path}/below/x` };
    const isTransfer = op === "move" || op === "copy";
    return files.outcome(op, isTransfer ? transfer : { path, mode: "644", uid: 0, query: "x" });
  }, FAILURES);
  assertMatch(await files.outcome("create", { path: `~/${"x".repeat(300)}` }), /name too long$/);
  for (const path of ["etc/passwd", "../etc", "~root/x", "./x", "C:\\x", 5, "/etc\0/x"]) {
    assertMatch(await files.outcome("stat", { path }), /^invalid argument: /);
  }
  assertMatch(await files.outcome("stat", { path: "/x".repeat(3000) }), /^file name too long/);
});

withFiles.test("createFile() and makeFolder() make what is not there, and keep the mode of what is", async (files) => {
  await files.sh(`printf 1 >script; chmod 750 script; printf 1 >file; ln -s file link
    ln -s elsewhere dangling; ls -i script >inode`);
  for (const path of ["~/a/b/new", "~/script", "~/link", "~/dangling"]) {
    assertEquals(await files.outcome("create", { path }), '{"created":true,"size":0}');
  }
  for (const [path, mode] of cases("d/e → 0700\nd/e →\nd/e → 0755\nd/f → 1777")) {
    assertEquals(await files.outcome("mkdir", { path: `~/${path}`, mode }), '{"created":true}');
  }
  assertEquals(
    await files.sh("stat -c '%n %a %s' a/b/new script file elsewhere; stat -c '%n %a' d/e d/f"),
    "a/b/new 644 0 script 750 0 file 644 0 elsewhere 644 0 d/e 700 d/f 1777",
  );
  assertEquals(
    await files.sh("ls -i script | diff - inode; readlink link; ls"),
    "file a d dangling elsewhere file inode link script",
  );
  assertMatch(await files.outcome("mkdir", { path: "~/f", mode: "rwx" }), /no octal mode/);
});

withFiles.test("deleteFile() deletes links, not what they lead to", async (files) => {
  await files.sh(`mkdir -p tree/deep kept; printf 1 >kept/file; ln -s "$PWD/kept" link
    ln -s "$PWD/kept" tree/deep/link; ln -s "$PWD/tree" tree/deep/loop`);
  for (const path of ["~/tree", "~/link/"]) {
    assertEquals(await files.outcome("delete", { path }), '{"deleted":true}');
  }
  assertEquals(await files.sh("ls; cat kept/file"), "kept 1");
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

const RIGHTS = cases(`
"mode": "0o600" → {"mode":"0600"}
"mode": "" → ~/x: invalid argument: mode is required
"mode": "rw" → ~/x: invalid argument: "rw" is no octal mode
"mode": "77777" → ~/x: invalid argument: "77777" is no octal mode
"uid": 4294967294 → {"uid":4294967294,"gid":-1}
"owner": "4294967294", "gid": -1 → {"uid":4294967294,"gid":-1}
"group": "root", "uid": -1 → {"uid":-1,"gid":0}
"uid": 4294967295 → ~/x: invalid argument: uid must be a whole number from -1 to 4294967294
"uid": -2 → ~/x: invalid argument: uid must be a whole number from -1 to 4294967294
"uid": 1.5 → ~/x: invalid argument: uid must be a whole number from -1 to 4294967294
"owner": "4294967295" → ~/x: invalid argument: owner is unknown on this machine
"owner": "no such account" → ~/x: invalid argument: owner is unknown on this machine
"uid": -1, "gid": -1 → ~/x: invalid argument: no owner and no group
 → ~/x: invalid argument: no owner and no group
`);

withFiles.test("changeMode() and changeOwner() give what was set, and take numbers up to the kernel's last", async (files) => {
  await files.sh(": >x");
  const asked: unknown[] = [];
  // No owner is changed.
  const chown = (_path: string | URL, uid: number | null, gid: number | null) =>
    Promise.resolve(void asked.push([uid, gid]));
  using _ = replaced(Deno, { chown });
  await sameLater((change) => {
    const op = change.includes("mode") ? "chmod" : "chown";
    return files.outcome(op, { path: "~/x", ...JSON.parse(`{${change}}`) });
  }, RIGHTS);
  assertEquals(asked, [[2 ** 32 - 2, null], [2 ** 32 - 2, null], [null, 0]]);
  assertEquals(await files.sh("stat -c %a x"), "600");
});

withFiles.test("listFolder() lists up to 8 MiB, and then says how many there are; it ends when it is told", async () => {
  const at = (path: string, folders = new FakeFolders(() => []), signal?: AbortSignal) =>
    listFolder(new FileArguments({ path }, "/"), contextOf(signal, folders));
  const path = "/proc/self";
  // Names that are there take 250 bytes and more each, and all others are left out.
  const names = (count: number) =>
    new FakeFolders(() => Array.from({ length: count }, (_, at) => at % 2 ? "fd" : `${at}`));
  assertEquals((await at(path, names(30_000))).length, 15_000);
  const tooMany = (count: number) => `the folder has ${count} entries, too many for a list`;
  await assertRejects(() => at(path, names(41_944)), Error, tooMany(41_944));
  const long = new FakeFolders(() => Array(40_000).fill(`${"./".repeat(20)}fd`));
  await assertRejects(() => at(path, long), Error, tooMany(40_000));
  assertEquals(await at(path, new FakeFolders(() => ["\udcfe"])), [], "not UTF-8, and gone");
  const roots = await at("/", new FakeFolders(() => ["proc/", "dev/"]));
  assertEquals(roots.map(({ path }) => path), ["/dev", "/proc"]);
  const over = AbortSignal.abort(new Error("the time is over"));
  await assertRejects(() => at("/", new FakeFolders(() => ["dev/"]), over), Error, "time is over");
});
