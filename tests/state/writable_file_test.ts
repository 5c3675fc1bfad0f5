import { assertEquals, assertThrows } from "@std/assert";
import { openWritableFile } from "../../lib/state/writable_file.ts";
import { openBelow } from "../open_below.ts";

Deno.test("openWritableFile() opens what is there, and makes what is not for its owner alone", () => {
  const folder = Deno.makeTempDirSync({ prefix: "writable-file-" });
  const path = `${folder}/file`;
  for (const text of ["one", "two"]) {
    using file = openWritableFile(path, { mode: 0o600 });
    file.writeSync(new TextEncoder().encode(text[0]));
    assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    Deno.writeTextFileSync(path, text, { append: true });
  }
  assertEquals(Deno.readTextFileSync(path), "tonetwo");
  assertEquals(openBelow(folder), [], "nothing stays open");
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("openWritableFile() follows no link", () => {
  const folder = Deno.makeTempDirSync({ prefix: "writable-file-" });
  const path = `${folder}/file`;
  for (const target of ["elsewhere", "theirs"]) {
    Deno.symlinkSync(`${folder}/${target}`, path);
    assertThrows(() => openWritableFile(path, { mode: 0o600 }), Error, "it is no regular file");
    Deno.removeSync(path);
    Deno.writeTextFileSync(`${folder}/theirs`, "as it was");
  }
  assertEquals(Deno.readTextFileSync(`${folder}/theirs`), "as it was");
  assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name), ["theirs"]);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("openWritableFile() waits for no pipe", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "writable-file-" });
  const path = `${folder}/file`;
  await new Deno.Command("mkfifo", { args: [path] }).output();
  assertThrows(() => openWritableFile(path, { mode: 0o600 }), Error, "it is no regular file");
  const { lstatSync } = Deno;
  Deno.lstatSync = (looked) => {
    Deno.lstatSync = lstatSync;
    return { ...lstatSync(looked), isFile: true };
  };
  try {
    // One that was put there just now.
    assertThrows(() => openWritableFile(path, { mode: 0o600 }), Error, "it is no regular file");
  } finally {
    Deno.lstatSync = lstatSync;
  }
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
