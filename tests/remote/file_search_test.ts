import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { FileArguments } from "../../lib/remote/file_arguments.ts";
import { searchFiles } from "../../lib/remote/file_search.ts";
import { openForReading } from "../../lib/remote/regular_file.ts";
import { FakeTime } from "../fake_time.ts";
import type { FolderReader } from "../../lib/remote/folder_reader.ts";
import { contextOf, FakeFolders, withFiles } from "./file_requests_fixture.ts";

withFiles.test("searchFiles() finds names regardless of case, and does not follow links", async (files) => {
  const { folder } = files;
  await Deno.mkdir(`${folder}/a/Needle/c`, { recursive: true });
  await Deno.writeTextFile(`${folder}/a/Needle/c/my-nEEdle.txt`, "");
  await Deno.writeTextFile(`${folder}/a/other`, "needle");
  await Deno.symlink(folder, `${folder}/a/loop-needle`);
  const result = await files.result("search", { path: folder, query: "needle" });
  const matches = matchesOf(result);
  assertEquals(matches.map(({ path, is_dir, line }) => [path, is_dir, line]).sort(), [
    [`${folder}/a/Needle`, true, 0],
    [`${folder}/a/Needle/c/my-nEEdle.txt`, false, 0],
    [`${folder}/a/loop-needle`, false, 0],
  ]);
  assert(typeof result === "object" && result !== null && "limited" in result);
  assertEquals(result.limited, false);
});

withFiles.test("searchFiles() searches a single file for content, and not for its name", async (files) => {
  const path = `${files.folder}/needle`;
  await Deno.writeTextFile(path, "one\na needle");
  const search = async (content: boolean) =>
    matchesOf(await files.result("search", { path, query: "needle", content }));
  assertEquals(await search(false), []);
  assertEquals(await search(true), [{ path, line: 2, text: "a needle", is_dir: false }]);
});

withFiles.test("searchFiles() finds the first line of text files, whatever the buffers cut", async (files) => {
  const { folder } = files;
  const long = "x".repeat(64 * 1024 - 3);
  await Deno.writeTextFile(`${folder}/1`, `one\r\ntwo NEEDLE ${"y".repeat(500)}\r\nneedle\n`);
  await Deno.writeTextFile(`${folder}/2`, `${long}needle`);
  await Deno.writeTextFile(`${folder}/3`, `${long}${long}${long}\n${long}need\nle`);
  await Deno.writeTextFile(`${folder}/4`, `needle\0binary`);
  await Deno.writeTextFile(`${folder}/5`, `${"z".repeat(11 * 1024 * 1024)}needle`);
  await Deno.writeTextFile(`${folder}/c`, `needle\n${"z".repeat(11 * 1024 * 1024)}`);
  await Deno.writeTextFile(`${folder}/6`, "ends without a line feed needle");
  await new Deno.Command("mkfifo", { args: [`${folder}/7`] }).output();
  await Deno.symlink("1", `${folder}/8`);
  // Lines that are longer than what is searched at once, with a match across the border.
  await Deno.writeTextFile(`${folder}/a`, `one\n${long}${"x".repeat(64 * 1024 - 4)}needle\n`);
  await Deno.writeTextFile(`${folder}/b`, `${"y".repeat(200_000)}\n\nneedle\n`);
  const result = await files.result("search", { path: folder, query: "Needle", content: true });
  const matches = matchesOf(result).sort((a, b) => a.path < b.path ? -1 : 1);
  assertEquals(matches.map(({ path, line }) => [path.slice(folder.length), line]), [
    ["/1", 2],
    ["/2", 1],
    ["/6", 1],
    ["/a", 2],
    ["/b", 3],
  ]);
  assertEquals(new Set(matches.map(({ is_dir }) => is_dir)), new Set([false]));
  assertEquals(matches[0]?.text.length, 300);
  assertMatch(matches[0]?.text ?? "", /^two NEEDLE y+$/);
});

withFiles.test("searchFiles() stops at 500 matches", async (files) => {
  for (let i = 0; i < 510; i++) await Deno.writeTextFile(`${files.folder}/f${i}`, "");
  const result = await files.result("search", { path: files.folder, query: "f" });
  assertEquals(matchesOf(result).length, 500);
  assert(typeof result === "object" && result !== null && "limited" in result);
  assertEquals(result.limited, true);
});

Deno.test("searchFiles() stops after a minute with what it has", async () => {
  using time = new FakeTime();
  time.tickAtEachLook(10_000);
  const folders = new FakeFolders((path) => path.length < 50 ? ["f/"] : []);
  const { matches, limited } = await search("/tmp", "f", folders);
  assertEquals([matches.length > 1 && matches.length < 7, limited], [true, true]);
});

interface Match {
  path: string;
  line: number;
  text: string;
  is_dir: boolean;
}

function matchesOf(result: unknown): Match[] {
  assert(typeof result === "object" && result !== null && "matches" in result);
  assert(Array.isArray(result.matches));
  return result.matches;
}

function search(path: string, query: string, folders: FolderReader, signal?: AbortSignal) {
  return searchFiles(new FileArguments({ path, query }, "/"), contextOf(signal, folders));
}

Deno.test("searchFiles() stops when 50,000 folders wait to be searched", async () => {
  const seen = (count: number) => {
    const names = Array.from({ length: count }, (_, at) => `f${at}/`);
    return search("/tmp", "none", new FakeFolders((path) => path === "/tmp" ? names : []));
  };
  assertEquals(await seen(49_999), { matches: [], limited: false });
  assertEquals(await seen(50_000), { matches: [], limited: true });
});

Deno.test("searchFiles() searches the kernel's folders only when it begins there", async () => {
  const folders = new FakeFolders((path) => {
    if (path.endsWith("needle")) return [];
    return path === "/" ? ["dev/", "proc/", "sys/", "srv/"] : ["needle/"];
  });
  const found = async (path: string) =>
    (await search(path, "needle", folders)).matches.map(({ path }) => path);
  assertEquals(await found("/"), ["/srv/needle"]);
  for (const path of ["/dev", "/proc", "/sys"]) {
    assertEquals(await found(path), [`${path}/needle`]);
  }
});

withFiles.test("searchFiles() reads a character that the buffer cuts", async (files) => {
  await Deno.writeTextFile(`${files.folder}/1`, `${"x".repeat(64 * 1024 - 1)}éneedle`);
  const args = { path: files.folder, query: "éneedle", content: true };
  assertEquals(matchesOf(await files.result("search", args)).length, 1);
});

withFiles.test("searchFiles() leaves out what it can't read below the folder, and ends when it is told", async ({ folder }) => {
  await Deno.writeTextFile(`${folder}/needle`, "needle");
  const folders = new FakeFolders((path) => {
    if (path === `${folder}/closed`) throw new Deno.errors.PermissionDenied("closed");
    return ["closed/", "gone-needle", "needle"];
  });
  const expected = ["gone-needle", "needle"].map((name) => `${folder}/${name}`);
  assertEquals((await search(folder, "needle", folders)).matches.map(({ path }) => path), expected);
  const content = new FileArguments({ path: folder, query: "needle", content: true }, "/");
  const { matches } = await searchFiles(content, contextOf(undefined, folders));
  assertEquals(matches.map(({ path }) => path), expected.slice(1));
  await assertRejects(() => search(`${folder}/closed`, "needle", folders), Error, "closed");
  const over = AbortSignal.abort(new Error("the time is over"));
  await assertRejects(() => search(folder, "needle", folders, over), Error, "the time is over");
});

withFiles.test("searchFiles() reads 10 MiB at most of a file without an end, and no longer than a minute", async (files) => {
  await Deno.writeTextFile(`${files.folder}/endless`, "x");
  const handle = await openForReading(`${files.folder}/endless`);
  const prototype: object = Object.getPrototypeOf(handle);
  await handle.close();
  const read: unknown = Reflect.get(prototype, "read");
  using time = new FakeTime();
  for (const [tookMs, reads] of [[0, 160], [10_000, 6]] as const) {
    let count = 0;
    Reflect.set(prototype, "read", (buffer: Uint8Array) => {
      if (++count > 1000) throw new Error("it goes on and on");
      time.tick(tookMs);
      buffer.fill(10);
      return Promise.resolve({ bytesRead: buffer.length });
    });
    const args = { path: files.folder, query: "needle", content: true };
    assertEquals(matchesOf(await files.result("search", args)), []);
    assertEquals(count, reads);
  }
  Reflect.set(prototype, "read", read);
});
