import { assertEquals, assertThrows } from "@std/assert";
import { openWritableFile } from "../../lib/state/writable_file.ts";
import { inClosedFolder } from "../closed_folder.ts";
import { replaced } from "../replaced.ts";

function refused(path: string): void {
  const open = () => openWritableFile(path, { mode: 0o600 });
  assertThrows(open, Error, `Cannot use ${path}: it is no regular file`);
}

inClosedFolder.test("openWritableFile() opens what is there, and makes what is not for its owner alone", (folder) => {
  const path = `${folder.path}/file`;
  for (const text of ["one", "two"]) {
    using file = openWritableFile(path, { mode: 0o600 });
    file.writeSync(new TextEncoder().encode(text[0]));
    assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    Deno.writeTextFileSync(path, text, { append: true });
  }
  assertEquals(Deno.readTextFileSync(path), "tonetwo");
});

inClosedFolder.test("openWritableFile() follows no link", (folder) => {
  const path = `${folder.path}/file`;
  for (const target of ["elsewhere", "theirs"]) {
    Deno.symlinkSync(`${folder.path}/${target}`, path);
    refused(path);
    Deno.removeSync(path);
    Deno.writeTextFileSync(`${folder.path}/theirs`, "as it was");
  }
  assertEquals(Deno.readTextFileSync(`${folder.path}/theirs`), "as it was");
  assertEquals(Array.from(Deno.readDirSync(folder.path), ({ name }) => name), ["theirs"]);
});

inClosedFolder.test("openWritableFile() waits for no pipe", async (folder) => {
  const path = `${folder.path}/file`;
  await new Deno.Command("mkfifo", { args: [path] }).output();
  refused(path);
  // One that was put there just now.
  const { lstatSync } = Deno;
  let looks = 0;
  using _late = replaced(Deno, {
    lstatSync: (looked) => ({ ...lstatSync(looked), ...(looks++ === 0 ? { isFile: true } : {}) }),
  });
  refused(path);
});

inClosedFolder.test("openWritableFile() refuses a file that was replaced while it was opened, also by one of its number", (folder) => {
  const path = `${folder.path}/file`;
  Deno.writeTextFileSync(path, "ours");
  const { lstatSync } = Deno;
  for (const field of ["ino", "dev"] as const) {
    using _another = replaced(Deno, {
      lstatSync: (looked) => ({ ...lstatSync(looked), [field]: -1 }),
    });
    refused(path);
  }
});
