import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { statfsSync, statSync } from "node:fs";
import fc from "fast-check";
import { Libc, toUse } from "../../lib/host/libc.ts";
import { replaced } from "../replaced.ts";
import { TempFolder } from "../temp_folder.ts";
import { onLinux } from "../only_on.ts";

onLinux.test("Libc.statfs() tells what node:fs tells", () => {
  const libc = new Libc();
  for (const path of ["/dev", "/"]) {
    const { bsize, blocks } = statfsSync(path);
    const use = libc.statfs(path);
    assertEquals(use.blocks * use.blockSizeBytes, blocks * bsize, path);
    assert(use.freeBlocks <= use.blocks, path);
  }
  // Others write to a disk meanwhile: looks again until nothing has changed around a look of ours.
  const look = () => statfsSync("/").bfree * statfsSync("/").bsize;
  for (let before = NaN; before !== look();) {
    before = look();
    const { freeBlocks, blockSizeBytes } = libc.statfs("/");
    if (before === look()) assertEquals(freeBlocks * blockSizeBytes, before);
  }
});

onLinux.test("Libc.statfsAsync() tells what statfs() tells", async () => {
  const libc = new Libc();
  const { blocks, blockSizeBytes } = libc.statfs("/");
  const beside = await libc.statfsAsync("/");
  assertEquals([beside.blocks, beside.blockSizeBytes], [blocks, blockSizeBytes]);
  await assertRejects(() => libc.statfsAsync("/no/such/path"), Error, '"/no/such/path"');
});

onLinux.test("Libc.statfs() tells a file on the way from what is missing", () => {
  const libc = new Libc();
  const codeOf = (path: string) => {
    const error: Error & { code?: unknown } = assertThrows(() => libc.statfs(path), Error, path);
    return error.code;
  };
  // Thousands of calls in a row, since the reason lies where later calls put theirs.
  for (let round = 0; round < 2000; round++) {
    assertEquals(codeOf("/proc/self/stat/."), "ENOTDIR");
    assertEquals(codeOf("/no/such/path"), "ENOENT");
  }
});

onLinux.test("Libc.openLinkCount() counts what node:fs counts, anew each time", () => {
  const libc = new Libc();
  using folder = new TempFolder();
  const count = libc.openLinkCount(folder.path);
  assertEquals(count?.(), statSync(folder.path).nlink);
  const file = `${folder.path}/file with ümlaut`;
  Deno.writeTextFileSync(file, "");
  const ofFile = libc.openLinkCount(file);
  assertEquals(ofFile?.(), 1);
  for (let links = 2; links < 6; links++) {
    Deno.linkSync(file, `${folder.path}/${links}`);
    assertEquals(ofFile?.(), links);
  }
  Deno.removeSync(file);
  assertThrows(() => ofFile?.(), Error, "Cannot statx");
});

onLinux.test("Libc never answers for a part of a path, and never reads beyond its end", () => {
  const libc = new Libc();
  assertThrows(() => libc.statfs("/\0/no/such"), TypeError, "it contains a NUL");
  assertThrows(() => libc.openLinkCount("/proc\0x"), TypeError, "it contains a NUL");
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 5000 }), (name) => {
    assertThrows(() => libc.statfs(`/no/such/${name}`), Error, "Cannot ");
  }));
});

/** A C library whose calls fail with `errno`. */
function failingLibc(errno: Int32Array<ArrayBuffer>): Libc {
  const symbols = {
    statfs: () => -1,
    statfsBeside: () => Promise.resolve(-1),
    statx: null,
    __errno_location: () => Deno.UnsafePointer.of(errno),
  };
  using _library = replaced<object>(Deno, { dlopen: () => ({ symbols, close() {} }) });
  return new Libc();
}

onLinux.test("Libc.statfs() has a code and words for the errors of paths and of file servers", () => {
  const table: [number: number, code: string | undefined, reason: string][] = [
    [2, "ENOENT", "no such file or folder (ENOENT)"],
    [5, "EIO", "input/output error (EIO)"],
    [13, "EACCES", "permission denied (EACCES)"],
    [20, "ENOTDIR", "a part of the path is no folder (ENOTDIR)"],
    [1, undefined, "error 1"],
  ];
  const errno = new Int32Array(1);
  const libc = failingLibc(errno);
  for (const [number, code, reason] of table) {
    errno[0] = number;
    const error: Error & { code?: unknown } = assertThrows(() => libc.statfs("/x"), Error);
    assertEquals([error.code, error.message], [code, `Cannot statfs "/x": ${reason}`]);
  }
});

onLinux.test("Libc.openLinkCount() gives nothing where the C library is too old", () => {
  assertEquals(failingLibc(new Int32Array(1)).openLinkCount("/"), undefined);
});

onLinux.test("Libc.statfsAsync() asks in a thread of its own, since a file system may hang", async () => {
  const { dlopen } = Deno;
  // What hangs can't be mounted here, but the runtime can be asked what it is told.
  const nonblocking: string[] = [];
  using _told = replaced<object>(Deno, {
    dlopen(name: string, symbols: Deno.ForeignLibraryInterface) {
      for (const [key, symbol] of Object.entries(symbols)) {
        if ("nonblocking" in symbol && symbol.nonblocking === true) nonblocking.push(key);
      }
      return dlopen(name, symbols);
    },
  });
  const libc = new Libc();
  assertEquals(nonblocking, ["statfsBeside"]);
  assertEquals((await libc.statfsAsync("/")).blocks, libc.statfs("/").blocks);
});

Deno.test("toUse() throws where a file system says by zero or all ones that it has no size", () => {
  for (const word of [0, 0xffff_ffff]) {
    const answer = new Uint32Array(32).fill(word);
    assertThrows(() => toUse(answer, "/mnt"), Error, 'Cannot statfs "/mnt": it has no size');
  }
});
