import { assertEquals, assertRejects } from "@std/assert";
import { FileArguments } from "../../lib/remote/file_arguments.ts";
import { searchFiles } from "../../lib/remote/file_search.ts";
import { createPrivateFile } from "../../lib/remote/open_file.ts";
import { FakeTime } from "../fake_time.ts";
import { replaced } from "../replaced.ts";
import { contextOf, FakeFolders, type FilesUnderTest, withFiles } from "./file_requests_fixture.ts";

const LONG = "x".repeat(64 * 1024 - 3);

/** Searches folders that a test makes up, or those that are there. */
function search(
  args: { path: string; query: string; content?: boolean },
  folders?: FakeFolders,
  signal?: AbortSignal,
) {
  return searchFiles(new FileArguments(args, "/"), contextOf(signal, folders));
}

/** The matches, sorted: the path below the folder, `/` for a folder, and the line. */
async function found(
  { folder }: FilesUnderTest,
  query: string,
  { path = "", content = false, folders }: {
    path?: string;
    content?: boolean;
    folders?: FakeFolders;
  } = {},
): Promise<string> {
  const { matches } = await search({ path: folder + path, query, content }, folders);
  const lines = matches.map(({ path, line, is_dir }) =>
    `${path.slice(folder.length + 1)}${is_dir ? "/" : ""}${line === 0 ? "" : `:${line}`}`
  );
  return lines.sort().join(" ");
}

withFiles.test("searchFiles() finds names regardless of case, and does not follow links", async (files) => {
  await files.sh(`mkdir -p a/Needle/c; : >a/Needle/c/my-nEEdle.txt; printf needle >a/other
    ln -s "$PWD" a/loop-needle; ln -s a link`);
  const below = ["Needle/", "Needle/c/my-nEEdle.txt", "loop-needle"];
  assertEquals(await found(files, "needle"), below.map((name) => `a/${name}`).join(" "));
  // The folder that was named may be a link.
  const inLink = below.map((name) => `link/${name}`).join(" ");
  assertEquals(await found(files, "needle", { path: "/link" }), inLink);
  const result = await search({ path: files.folder, query: "needle" });
  assertEquals(result.limited, false);
});

withFiles.test("searchFiles() searches a single file for content, and not for its name", async (files) => {
  await files.sh("printf 'one\\na needle' >needle");
  assertEquals(await found(files, "needle", { path: "/needle" }), "");
  assertEquals(await found(files, "needle", { path: "/needle", content: true }), "needle:2");
});

withFiles.test("searchFiles() finds the first line of text files, whatever the buffers cut", async (files) => {
  const { folder } = files;
  const big = "z".repeat(11 * 1024 * 1024);
  const contents = {
    "1": `one\r\ntwo NEEDLÉ ${"y".repeat(500)}\r\nneedlé\n`,
    "2": `${LONG}needlé`,
    "3": `${LONG}${LONG}${LONG}\n${LONG}need\nlé`,
    "4": "needlé\0binary",
    "5": `${big}needlé`,
    "6": "ends without a line feed needlé",
    // Lines that are longer than what is searched at once, with a match across the border.
    a: `one\n${LONG}${"x".repeat(64 * 1024 - 4)}needlé\n`,
    b: `${"y".repeat(200_000)}\n\nneedlé\n`,
    c: `needlé\n${big}`,
    // A buffer ends within the last letter.
    d: `${"x".repeat(64 * 1024 - 6)}needlé`,
  };
  for (const [name, text] of Object.entries(contents)) {
    await Deno.writeTextFile(`${folder}/${name}`, text);
  }
  await files.sh("mkfifo 7; ln -s 1 8");
  assertEquals(await found(files, "Needlé", { content: true }), "1:2 2:1 6:1 a:2 b:3 d:1");
  const { matches } = await search({ path: `${folder}/1`, query: "needlé", content: true });
  const text = `two NEEDLÉ ${"y".repeat(289)}`;
  assertEquals(matches, [{ path: `${folder}/1`, line: 2, text, is_dir: false }]);
});

withFiles.test("searchFiles() stops at 500 matches", async (files) => {
  await files.sh("seq -f f%g 2510 | xargs touch");
  // A folder is read in pieces of a thousand names.
  assertEquals((await search({ path: files.folder, query: "f25" })).matches.length, 22);
  const { matches, limited } = await search({ path: files.folder, query: "f" });
  assertEquals([matches.length, limited], [500, true]);
});

Deno.test("searchFiles() stops after a minute with what it has, and when 50,000 folders wait", async () => {
  const waiting = (count: number) => {
    const names = Array.from({ length: count }, (_, at) => `f${at}/`);
    const folders = new FakeFolders((path) => path === "/tmp" ? names : []);
    return search({ path: "/tmp", query: "none" }, folders);
  };
  assertEquals(await waiting(49_999), { matches: [], limited: false });
  assertEquals(await waiting(50_000), { matches: [], limited: true });
  using time = new FakeTime();
  time.tickAtEachLook(10_000);
  const folders = new FakeFolders((path) => path.length < 50 ? ["f/"] : []);
  const { matches, limited } = await search({ path: "/tmp", query: "f" }, folders);
  assertEquals([matches.length > 1 && matches.length < 7, limited], [true, true]);
});

Deno.test("searchFiles() searches the kernel's folders only when it begins there", async () => {
  const folders = new FakeFolders((path) => {
    if (path.endsWith("needle")) return [];
    return path === "/" ? ["dev/", "proc/", "sys/", "srv/"] : ["needle/"];
  });
  for (const [path, match] of [["/", "/srv"], ["/dev", "/dev"], ["/proc", "/proc"]] as const) {
    const { matches } = await search({ path, query: "needle" }, folders);
    assertEquals(matches.map(({ path }) => path), [`${match}/needle`]);
  }
});

withFiles.test("searchFiles() leaves out what it can't read below the folder, and ends when it is told", async (files) => {
  await files.sh("printf needle >needle");
  const path = files.folder;
  const folders = new FakeFolders((at) => {
    if (at === `${path}/closed`) throw new Deno.errors.PermissionDenied("closed");
    return ["closed/", "gone-needle", "needle"];
  });
  assertEquals(await found(files, "needle", { folders }), "gone-needle needle");
  assertEquals(await found(files, "needle", { folders, content: true }), "needle:1");
  const closed = { path: `${path}/closed`, query: "needle" };
  await Deno.mkdir(closed.path);
  await assertRejects(() => search(closed, folders), Error, "closed");
  const over = AbortSignal.abort(new Error("the time is over"));
  await assertRejects(() => search({ path, query: "x" }, folders, over), Error, "the time is over");
});

withFiles.test("searchFiles() reads 10 MiB at most of a file without an end", async (files) => {
  const handle = await createPrivateFile(`${files.folder}/endless`);
  const prototype: { read(buffer: Uint8Array): unknown } = Object.getPrototypeOf(handle);
  await handle.close();
  let count = 0;
  using _ = replaced(prototype, {
    read(buffer: Uint8Array) {
      if (++count > 1000) throw new Error("it goes on and on");
      buffer.fill(10);
      return Promise.resolve({ bytesRead: buffer.length });
    },
  });
  assertEquals(await found(files, "needle", { content: true }), "");
  assertEquals(count, 160);
});
