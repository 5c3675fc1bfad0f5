import { assertEquals, assertRejects } from "@std/assert";
import { createPrivateFile, openForReading, writeFully } from "../../lib/remote/open_file.ts";
import { ClosedFolder } from "../closed_folder.ts";
import { testsWith } from "../tests_with.ts";

/** With a file, a link to it, a FIFO and a folder. */
class Folder extends ClosedFolder {
  constructor() {
    super();
    Deno.writeTextFileSync(`${this.path}/file`, "kept");
    Deno.symlinkSync("file", `${this.path}/link`);
    new Deno.Command("mkfifo", { args: [`${this.path}/fifo`] }).outputSync();
    Deno.mkdirSync(`${this.path}/folder`);
  }

  override [Symbol.dispose](): void {
    const kept = Deno.readTextFileSync(`${this.path}/file`);
    super[Symbol.dispose]();
    assertEquals(kept, "kept");
  }
}

const inFolder = testsWith(() => new Folder());

inFolder.test("createPrivateFile() takes the place of nothing, and nobody else can read its file", async ({ path: folder }) => {
  await Deno.symlink("nowhere", `${folder}/dangling`);
  for (const name of ["file", "link", "dangling", "fifo"]) {
    const error = await assertRejects(() => createPrivateFile(`${folder}/${name}`), Error);
    assertEquals(error.message.slice(0, 6), "EEXIST", name);
  }
  const handle = await createPrivateFile(`${folder}/new`);
  assertEquals((await handle.stat()).mode & 0o777, 0o600);
  await handle.close();
});

inFolder.test("openForReading() opens the regular file that was looked at, without waiting for what took its place", async ({ path: folder }) => {
  const at = (name: string) => Deno.lstat(`${folder}/${name}`);
  for (const name of ["fifo", "link", "folder"]) {
    // What is no file is not even tried to be opened.
    const opening = async () => openForReading(`${folder}/none`, await at(name));
    await assertRejects(opening, TypeError, "not a regular file");
  }
  const seen = await at("file");
  await assertRejects(() => openForReading(`${folder}/link`, seen), Error, "ELOOP");
  for (const name of ["fifo", "folder"]) {
    await assertRejects(() => openForReading(`${folder}/${name}`, seen), Error, "replaced");
  }
  const other = { ...seen, dev: seen.dev + 1 };
  await assertRejects(() => openForReading(`${folder}/file`, other), Error, "replaced");
  const handle = await openForReading(`${folder}/file`, seen);
  await handle.close();
});

inFolder.test("writeFully() writes all at its position, however little is taken, and ends when nothing is", async ({ path: folder }) => {
  const handle = await createPrivateFile(`${folder}/new`);
  const write = handle.write.bind(handle);
  let most = 3;
  Reflect.set(handle, "write", (bytes: Uint8Array, at: number, length: number, to: number) => {
    return write(bytes, at, Math.min(length, most), to);
  });
  await writeFully(handle, new TextEncoder().encode("0123456789"), 2);
  assertEquals(await Deno.readTextFile(`${folder}/new`), "\0\x000123456789");
  most = 0;
  await assertRejects(
    () => writeFully(handle, new Uint8Array(1), 0),
    Error,
    "nothing was written",
  );
  await handle.close();
});
