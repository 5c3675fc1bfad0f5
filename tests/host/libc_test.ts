import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { statfsSync, statSync } from "node:fs";
import fc from "fast-check";
import { Libc } from "../../lib/host/libc.ts";

const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "Libc.statfs() tells what node:fs tells",
  ignore,
  fn() {
    const libc = new Libc();
    // Of a kernel that has nothing to do with disks, so that nobody writes meanwhile; and a disk.
    for (const path of ["/proc", "/sys", "/"]) {
      const { bsize, blocks } = statfsSync(path);
      const use = libc.statfs(path);
      assertEquals(use.blocks * use.blockSizeBytes, blocks * bsize, path);
      assert(use.freeBlocks <= use.blocks && use.availableBlocks <= use.freeBlocks, path);
    }
    const { bsize, bfree, bavail } = statfsSync("/");
    const use = libc.statfs("/");
    const apart = (a: number, b: number) => Math.abs(a * use.blockSizeBytes - b * bsize);
    assert(apart(use.freeBlocks, bfree) < 256 * 2 ** 20, "free");
    assert(apart(use.availableBlocks, bavail) < 256 * 2 ** 20, "available");
  },
});

Deno.test({
  name: "Libc.statfsAsync() tells what statfs() tells",
  ignore,
  async fn() {
    const libc = new Libc();
    const { blocks, blockSizeBytes } = libc.statfs("/");
    const beside = await libc.statfsAsync("/");
    assertEquals([beside.blocks, beside.blockSizeBytes], [blocks, blockSizeBytes]);
    await assertRejects(() => libc.statfsAsync("/no/such/path"), Error, '"/no/such/path"');
  },
});

Deno.test({
  name: "Libc.statfs() tells a file on the way from what is missing",
  ignore,
  fn() {
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
  },
});

Deno.test({
  name: "Libc.openLinkCount() counts what node:fs counts, anew each time",
  ignore,
  fn() {
    const libc = new Libc();
    const folder = Deno.makeTempDirSync();
    try {
      const count = libc.openLinkCount(folder);
      assertEquals(count?.(), statSync(folder).nlink);
      const file = `${folder}/file with ümlaut`;
      Deno.writeTextFileSync(file, "");
      const ofFile = libc.openLinkCount(file);
      assertEquals(ofFile?.(), 1);
      for (let links = 2; links < 6; links++) {
        Deno.linkSync(file, `${folder}/${links}`);
        assertEquals(ofFile?.(), links);
      }
      Deno.removeSync(file);
      assertThrows(() => ofFile?.(), Error, "Cannot statx");
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "Libc never answers for a part of a path, and never reads beyond its end",
  ignore,
  fn() {
    const libc = new Libc();
    assertThrows(() => libc.statfs("/\0/no/such"), TypeError, "it contains a NUL");
    assertThrows(() => libc.openLinkCount("/proc\0x"), TypeError, "it contains a NUL");
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 5000 }), (name) => {
      assertThrows(() => libc.statfs(`/no/such/${name}`), Error, "Cannot ");
    }));
  },
});

Deno.test({
  name: "Libc.statfs() keeps paths for the C library, and forgets them when there are 512",
  ignore,
  fn() {
    const libc = new Libc();
    const { from } = Uint8Array;
    let encoded = 0;
    const lookAt = (path: string) => {
      libc.statfs(path);
      const count = encoded;
      encoded = 0;
      return count;
    };
    Object.assign(Uint8Array, {
      from: (...args: Parameters<typeof from>) => (encoded++, from.apply(Uint8Array, args)),
    });
    try {
      assertEquals([lookAt("/"), lookAt("/")], [1, 0]);
      for (let slashes = 2; slashes <= 512; slashes++) lookAt("/".repeat(slashes));
      assertEquals([lookAt("/"), lookAt("/.")], [0, 1]);
      assertEquals([lookAt("/"), lookAt("/")], [1, 0]);
    } finally {
      Object.assign(Uint8Array, { from });
    }
  },
});
