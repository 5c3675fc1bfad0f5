import { assertEquals, assertRejects } from "@std/assert";
import {
  createPrivateFile,
  openForReading,
  openForWriting,
  openUnlinked,
  writeFully,
} from "../../lib/remote/regular_file.ts";
import { ClosedFolder } from "../closed_folder.ts";
import { testsWith } from "../tests_with.ts";
import { restoring } from "../restoring.ts";

/** With a file, a link to it and a FIFO. */
class Folder extends ClosedFolder {
  constructor() {
    super();
    Deno.writeTextFileSync(`${this.path}/file`, "kept");
    Deno.symlinkSync("file", `${this.path}/link`);
    new Deno.Command("mkfifo", { args: [`${this.path}/fifo`] }).outputSync();
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

inFolder.test("openForWriting() opens files alone, and follows no link", async ({ path: folder }) => {
  await assertRejects(() => openForWriting(`${folder}/link`), Error, "ELOOP");
  // It does not wait for a reader.
  await assertRejects(() => openForWriting(`${folder}/fifo`), Error, "ENXIO");
  await assertRejects(() => openForWriting("/dev/null"), Error, "/dev/null: not a regular file");
  await assertRejects(() => openForWriting(`${folder}/none`), Error, "ENOENT");
  const handle = await openForWriting(`${folder}/file`);
  await handle.close();
});

inFolder.test("openForReading() looks before it opens, and once more at what it has opened", async ({ path: folder }) => {
  const { stat } = Deno;
  using _ = restoring(Deno, "stat");
  for (const [seen, name] of [["fifo", "file"], ["file", "fifo"]]) {
    // Something else was put at its place between the two looks.
    Deno.stat = () => stat(`${folder}/${seen}`);
    const opening = () => openForReading(`${folder}/${name}`);
    await assertRejects(opening, Error, "not a regular file");
  }
});

inFolder.test("openUnlinked() opens what was looked at, without waiting for what took its place", async ({ path: folder }) => {
  const seen = await Deno.lstat(`${folder}/file`);
  await assertRejects(() => openUnlinked(`${folder}/link`, seen), Error, "ELOOP");
  await assertRejects(() => openUnlinked(`${folder}/fifo`, seen), Error, "replaced");
  for (const other of [{ ...seen, ino: (seen.ino ?? 0) + 1 }, { ...seen, dev: seen.dev + 1 }]) {
    await assertRejects(() => openUnlinked(`${folder}/file`, other), Error, "replaced");
  }
  const handle = await openUnlinked(`${folder}/file`, seen);
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
