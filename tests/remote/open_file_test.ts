import { assertEquals, assertRejects } from "@std/assert";
import { createPrivateFile, openForReading, writeFully } from "../../lib/remote/open_file.ts";
import { withFiles } from "./file_requests_fixture.ts";

// That neither a link nor a FIFO is opened, the tests of copies and downloads show.

withFiles.test("createPrivateFile() takes the place of nothing", async (files) => {
  await files.sh("printf kept >file; ln -s file link; ln -s nowhere dangling; mkfifo fifo");
  for (const name of ["file", "link", "dangling", "fifo"]) {
    await assertRejects(() => createPrivateFile(`${files.folder}/${name}`), Error, "EEXIST", name);
  }
  assertEquals(await files.sh("cat file"), "kept");
});

withFiles.test("openForReading() opens no file of the same number on another file system", async (files) => {
  await files.sh(": >file");
  const seen = await Deno.lstat(`${files.folder}/file`);
  const opening = () => openForReading(`${files.folder}/file`, { ...seen, dev: seen.dev + 1 });
  await assertRejects(opening, Error, "replaced");
});

withFiles.test("writeFully() writes all at its position, however little is taken, and ends when nothing is", async ({ folder }) => {
  const handle = await createPrivateFile(`${folder}/new`);
  const write = handle.write.bind(handle);
  let most = 3;
  Reflect.set(handle, "write", (bytes: Uint8Array, at: number, length: number, to: number) => {
    return write(bytes, at, Math.min(length, most), to);
  });
  await writeFully(handle, new TextEncoder().encode("0123456789"), 2);
  assertEquals(await Deno.readTextFile(`${folder}/new`), "\0\x000123456789");
  most = 0;
  const writing = () => writeFully(handle, new Uint8Array(1), 0);
  await assertRejects(writing, Error, "nothing was written");
  await handle.close();
});
