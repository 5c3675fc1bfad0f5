import { assertEquals, assertThrows } from "@std/assert";
import { openWritableFile } from "../../lib/state/writable_file.ts";
import { openBelow } from "../open_below.ts";

/** Runs `test` while the first look at a file finds nothing, and another process is there since. */
function whileAnotherCreates(path: string, create: () => void, test: () => void): void {
  const { lstatSync } = Deno;
  Deno.lstatSync = (looked) => {
    Deno.lstatSync = lstatSync;
    assertEquals(looked, path);
    create();
    throw new Deno.errors.NotFound("not yet");
  };
  try {
    test();
  } finally {
    Deno.lstatSync = lstatSync;
  }
}

Deno.test("openWritableFile() opens the file that another process created just now", () => {
  const folder = Deno.makeTempDirSync({ prefix: "writable-file-" });
  const path = `${folder}/file`;
  whileAnotherCreates(path, () => Deno.writeTextFileSync(path, "theirs"), () => {
    using file = openWritableFile(path, { mode: 0o600 });
    file.writeSync(new TextEncoder().encode("o"));
  });
  assertEquals(Deno.readTextFileSync(path), "oheirs");
  assertEquals(openBelow(folder), [], "nothing stays open");
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("openWritableFile() follows no link that appeared just now", () => {
  const folder = Deno.makeTempDirSync({ prefix: "writable-file-" });
  const path = `${folder}/file`;
  whileAnotherCreates(path, () => Deno.symlinkSync(`${folder}/elsewhere`, path), () => {
    assertThrows(() => openWritableFile(path, { mode: 0o600 }), Error, "it is no regular file");
  });
  assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["file"]);
  assertEquals(openBelow(folder), [], "nothing stays open");
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("openWritableFile() refuses the file that was replaced while it was opened", () => {
  const folder = Deno.makeTempDirSync({ prefix: "writable-file-" });
  const path = `${folder}/file`;
  Deno.writeTextFileSync(path, "old");
  const { openSync } = Deno;
  Deno.openSync = (opened, options) => {
    const file = openSync(opened, options);
    Deno.writeTextFileSync(`${path}.new`, "new");
    Deno.renameSync(`${path}.new`, path);
    return file;
  };
  try {
    assertThrows(() => openWritableFile(path, { mode: 0o600 }), Error, `Cannot use ${path}`);
  } finally {
    Deno.openSync = openSync;
  }
  assertEquals(Deno.readTextFileSync(path), "new");
  assertEquals(openBelow(folder), [], "nothing stays open");
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("openWritableFile() refuses a file of that number on another disk", () => {
  const folder = Deno.makeTempDirSync({ prefix: "writable-file-" });
  const path = `${folder}/file`;
  Deno.writeTextFileSync(path, "ours");
  const { lstatSync } = Deno;
  Deno.lstatSync = (looked) => {
    const stat = lstatSync(looked);
    return { ...stat, dev: stat.dev + 1 };
  };
  try {
    assertThrows(() => openWritableFile(path, { mode: 0o600 }), Error, "it is no regular file");
  } finally {
    Deno.lstatSync = lstatSync;
  }
  assertEquals(openBelow(folder), [], "nothing stays open");
  Deno.removeSync(folder, { recursive: true });
});
