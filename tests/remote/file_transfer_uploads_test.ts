import { assert, assertEquals, assertMatch } from "@std/assert";
import { openForWriting } from "../../lib/remote/regular_file.ts";
import { timed } from "../fake_time.ts";
import { type FilesUnderTest, Gate, openFiles, withFiles } from "./file_requests_fixture.ts";
import { checksMerge, judgeDownload } from "../test_panel/transfer_rules.ts";
import { eventually } from "./processes_below.ts";
import { replaced } from "../replaced.ts";
import { restoring } from "../restoring.ts";

const CONTENT = Uint8Array.from({ length: 5000 }, (_, at) => at * 7);

/** The arguments for a part of {@linkcode CONTENT}, which is uploaded in three. */
function part(files: FilesUnderTest, index: number, more: Record<string, unknown> = {}) {
  const offset = index * 2000;
  const transferId = `t${index}-${crypto.randomUUID()}`;
  files.transfers.offered.set(transferId, CONTENT.slice(offset, offset + 2000));
  return {
    ...UPLOAD,
    offset,
    chunk_index: index,
    first: index === 0,
    final: false,
    transfer_id: transferId,
    transfer_token: "secret",
    ...more,
  };
}

const UPLOAD = {
  path: "~/file",
  upload_id: "u1",
  chunk_count: 3,
  total_size: 5000,
  chunk_size: 2000,
};

const COMMIT = { ...UPLOAD, offset: 5000, chunk_index: 3, first: false, final: true };

withFiles.test("FileUploads puts parts together in any order, and names the file at the commit", async (files) => {
  const { folder } = files;
  await Deno.writeTextFile(`${folder}/file`, "before");
  await Deno.chmod(`${folder}/file`, 0o640);
  // All at once, the second and third before the first has begun its file.
  const results = await Promise.all(
    [0, 2, 1].map((index) => files.result("upload_stream", part(files, index))),
  );
  assertEquals(results, [
    { received: 2000, offset: 2000 },
    { received: 1000, offset: 5000 },
    { received: 2000, offset: 4000 },
  ]);
  assertEquals(await Deno.readTextFile(`${folder}/file`), "before");
  assertEquals(files.names(), [".komari-upload-u1.part", "file"]);
  assertEquals((await Deno.stat(`${folder}/.komari-upload-u1.part`)).mode! & 0o777, 0o600);
  const done = { received: 0, final: true, offset: 5000 };
  assertEquals(await files.result("upload_commit", COMMIT), done);
  assertEquals(await Deno.readFile(`${folder}/file`), CONTENT);
  assertEquals((await Deno.stat(`${folder}/file`)).mode! & 0o777, 0o640);
  assertEquals(files.names(), ["file"]);
  // The panel may not have got the answer: it looks for the file then.
  assert(checksMerge(await files.error("upload_commit", COMMIT)));
});

withFiles.test("FileUploads makes missing folders, and a new file is readable by all", async (files) => {
  const path = "~/a/b/file";
  for (const index of [0, 1, 2]) {
    await files.result("upload_stream", part(files, index, { path }));
  }
  await files.result("upload_commit", { ...COMMIT, path });
  assertEquals((await Deno.stat(`${files.folder}/a/b/file`)).mode! & 0o777, 0o644);
  assertEquals(files.names("a/b"), ["file"]);
});

withFiles.test("FileUploads writes through a link to the file behind it", async (files) => {
  const { folder } = files;
  await Deno.mkdir(`${folder}/real`);
  await Deno.writeTextFile(`${folder}/real/file`, "before");
  await Deno.symlink("real/file", `${folder}/file`);
  for (const index of [0, 1, 2]) await files.result("upload_stream", part(files, index));
  await files.result("upload_commit", COMMIT);
  assertEquals(await Deno.readLink(`${folder}/file`), "real/file");
  assertEquals(await Deno.readFile(`${folder}/real/file`), CONTENT);
  assertEquals(files.names("real"), ["file"]);
});

withFiles.test("FileUploads takes a part again that was cut off, the first one too", async (files) => {
  await files.result("upload_stream", part(files, 0));
  await files.result("upload_stream", part(files, 1));
  for (const index of [0, 2]) {
    const cut = part(files, index);
    files.transfers.offered.set(cut.transfer_id, CONTENT.slice(0, 500));
    assertMatch(await files.error("upload_stream", cut), /cut off/);
    assertMatch(await files.error("upload_commit", COMMIT), /incomplete/);
  }
  await files.result("upload_stream", part(files, 2));
  assertMatch(await files.error("upload_commit", COMMIT), /incomplete: 2 of 3/);
  await files.result("upload_stream", part(files, 0));
  await files.result("upload_commit", COMMIT);
  assertEquals(await Deno.readFile(`${files.folder}/file`), CONTENT);
});

withFiles.test("FileUploads.cancel() ends parts that arrive, and removes the temporary file", async (files) => {
  const arriving = Promise.withResolvers<void>();
  files.transfers.beforePiece = async (_transfer, signal) => {
    arriving.resolve();
    await new Promise<void>((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  };
  const first = files.ask("upload_stream", part(files, 0));
  await arriving.promise;
  assertEquals(files.names(), [".komari-upload-u1.part"]);
  const cancel = { upload_id: "u1", path: "~/file" };
  assertEquals(await files.result("upload_cancel", cancel), { cancelled: true });
  assertMatch((await first).error, /cancelled/);
  assertEquals(files.names(), []);
  assertEquals(await files.result("upload_cancel", cancel), { cancelled: true });
  assertMatch(await files.error("upload_stream", part(files, 1)), /unknown upload/);
});

withFiles.test("FileUploads.commit() lets a panel of main check a merge that an older agent made", async (files) => {
  // Started anew after the merge: the answer was lost, and it knows nothing of the upload.
  await Deno.writeFile(`${files.folder}/file`, CONTENT);
  const error = await files.error("upload_commit", COMMIT);
  assert(checksMerge(error), error);
  assertEquals(judgeDownload(error), "three tries");
});

withFiles.test("FileUploads.cancel() removes what an agent that was killed has left", async (files) => {
  await Deno.writeTextFile(`${files.folder}/.komari-upload-u9.part`, "x");
  await files.result("upload_cancel", { upload_id: "u9", path: "~/file" });
  assertEquals(files.names(), []);
});

timed.test("FileUploads.close() removes temporary files, and leaves no timer", async (time) => {
  await using files = openFiles();
  await files.result("upload_stream", part(files, 0));
  await files.requests.close();
  assertEquals([files.names(), time.timers], [[], 0]);
});

timed.test("FileUploads removes an upload of which nothing came for half an hour when another begins", async (time) => {
  await using files = openFiles();
  await files.result("upload_stream", part(files, 0));
  time.tick(15 * 60_000);
  await files.result("upload_stream", part(files, 1));
  time.tick(30 * 60_000 - 1);
  await files.result("upload_stream", part(files, 0, { upload_id: "u2" }));
  assertEquals(files.names(), [".komari-upload-u1.part", ".komari-upload-u2.part"]);
  time.tick(1);
  await files.result("upload_stream", part(files, 0, { upload_id: "u3" }));
  const left = ".komari-upload-u2.part,.komari-upload-u3.part";
  await eventually(() => `${files.names()}` === left, { told: () => `${files.names()}` });
});

withFiles.test("FileUploads refuses parts that do not belong together", async (files) => {
  await files.result("upload_stream", part(files, 0));
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ upload_id: "u2" }, /unknown upload/],
    [{ upload_id: "../../x" }, /^invalid argument/],
    [{ upload_id: "" }, /^invalid argument/],
    [{ offset: 1 }, /wrong offset/],
    [{ chunk_index: 3, offset: 6000 }, /wrong offset/],
    [{ chunk_index: -1 }, /^invalid argument/],
    [{ first: true, upload_id: "u3", total_size: 2000 }, /wrong offset/],
    [{ first: true, upload_id: "u4", chunk_size: 1, total_size: 65_537 }, /more than 65536/],
    [{ first: true, upload_id: "u4", chunk_size: 2 ** 28 }, /^invalid argument/],
  ];
  for (const [change, words] of wrong) {
    assertMatch(await files.error("upload_stream", part(files, 1, change)), words);
  }
  await files.result("upload_cancel", { upload_id: "u3" });
  assertEquals(files.names(), [".komari-upload-u1.part"]);
});

withFiles.test("FileUploads does not write into another file at the place of its own", async (files) => {
  const { folder } = files;
  await files.result("upload_stream", part(files, 0));
  await Deno.writeTextFile(`${folder}/victim`, "kept");
  await Deno.remove(`${folder}/.komari-upload-u1.part`);
  await Deno.symlink("victim", `${folder}/.komari-upload-u1.part`);
  await files.error("upload_stream", part(files, 1));
  await Deno.remove(`${folder}/.komari-upload-u1.part`);
  await Deno.link(`${folder}/victim`, `${folder}/.komari-upload-u1.part`);
  assertMatch(await files.error("upload_stream", part(files, 1)), /disturbed/);
  assertEquals(await Deno.readTextFile(`${folder}/victim`), "kept");
});

withFiles.test("FileUploads.commit() takes no other file, and no other length, at the place of its own", async (files) => {
  const { folder } = files;
  const temporary = `${folder}/.komari-upload-u1.part`;
  for (const index of [0, 1, 2]) await files.result("upload_stream", part(files, index));
  await Deno.truncate(temporary, 4999);
  assertMatch(await files.error("upload_commit", COMMIT), /disturbed/);
  await files.result("upload_stream", part(files, 2));
  await Deno.writeFile(`${folder}/victim`, CONTENT, { mode: 0o600 });
  await Deno.rename(temporary, `${folder}/own`);
  await Deno.link(`${folder}/victim`, temporary);
  assertMatch(await files.error("upload_commit", COMMIT), /disturbed/);
  await Deno.remove(temporary);
  await Deno.symlink("own", temporary);
  await files.error("upload_commit", COMMIT);
  assertEquals((await Deno.stat(`${folder}/victim`)).mode! & 0o777, 0o600);
  assertEquals(files.names(), [".komari-upload-u1.part", "own", "victim"]);
  await Deno.rename(`${folder}/own`, temporary);
  await files.result("upload_commit", COMMIT);
  assertEquals(await Deno.readFile(`${folder}/file`), CONTENT);
});

withFiles.test("FileUploads.commit() keeps the owner, and gives no rights of an owner or a group", async (files) => {
  const { folder } = files;
  await Deno.writeTextFile(`${folder}/file`, "before");
  // Only root may give a file away.
  const [uid, gid] = Deno.uid() === 0 ? [12, 34] : [Deno.uid(), Deno.gid()];
  await Deno.chown(`${folder}/file`, uid, gid);
  await Deno.chmod(`${folder}/file`, 0o6751);
  for (const index of [0, 1, 2]) await files.result("upload_stream", part(files, index));
  await files.result("upload_commit", COMMIT);
  const { mode, ...after } = await Deno.stat(`${folder}/file`);
  assertEquals([after.uid, after.gid, mode! & 0o7777], [uid, gid, 0o751]);
});

withFiles.test("FileUploads.commit() brings the content to the disk before its name, and then the name", async (files) => {
  const { folder } = files;
  for (const index of [0, 1, 2]) await files.result("upload_stream", part(files, index));
  const steps: string[] = [];
  const { rename, open } = Deno;
  const handle = await openForWriting(`${folder}/.komari-upload-u1.part`);
  const prototype: { sync(): Promise<void> } = Object.getPrototypeOf(handle);
  const { sync } = prototype;
  await handle.close();
  using _handle = replaced(prototype, {
    sync(this: typeof handle) {
      steps.push("content");
      return sync.call(this);
    },
  });
  using _ = restoring(Deno, "rename", "open");
  Deno.rename = (from, to) => (steps.push("name"), rename(from, to));
  Deno.open = async (path, options) => {
    const file = await open(path, options);
    const syncFile = file.sync.bind(file);
    file.sync = () => (steps.push(`sync ${path}`), syncFile());
    return file;
  };
  await files.result("upload_commit", COMMIT);
  assertEquals(steps, ["content", "name", `sync ${folder}`]);
});

withFiles.test("FileUploads.commit() can be tried again when the file does not get its name", async (files) => {
  const { rename } = Deno;
  for (const index of [0, 1, 2]) await files.result("upload_stream", part(files, index));
  Deno.rename = () =>
    Promise.reject(new Deno.errors.PermissionDenied("Permission denied (os error 13)"));
  const error = await files.error("upload_commit", COMMIT).finally(() => Deno.rename = rename);
  assertMatch(error, /permission denied$/);
  assertEquals(files.names(), [".komari-upload-u1.part"]);
  await files.result("upload_commit", COMMIT);
  assertEquals(await Deno.readFile(`${files.folder}/file`), CONTENT);
});

withFiles.test("FileUploads.commit() is done once for two requests, and no part is written meanwhile", async (files) => {
  const { rename } = Deno;
  for (const index of [0, 1, 2]) await files.result("upload_stream", part(files, index));
  const gate = new Gate();
  using _ = restoring(Deno, "rename");
  Deno.rename = (from, to) => gate.pass().then(() => rename(from, to));
  const commits = [files.ask("upload_commit", COMMIT), files.ask("upload_commit", COMMIT)];
  await gate.reached;
  const late = part(files, 1);
  files.transfers.offered.set(late.transfer_id, new Uint8Array(2000));
  assertMatch(await files.error("upload_stream", late), /all parts are here/);
  gate.open();
  assertEquals((await Promise.all(commits)).map(({ ok, error }) => [ok, error]), [
    [true, ""],
    [true, ""],
  ]);
  assertEquals(await Deno.readFile(`${files.folder}/file`), CONTENT);
});

timed.test("FileUploads keeps an upload of which a part takes long to come", async (time) => {
  await using files = openFiles();
  await files.result("upload_stream", part(files, 0));
  await files.result("upload_stream", part(files, 2));
  time.tick(2 * 60_000);
  const gate = new Gate();
  files.transfers.beforePiece = gate.pass;
  const slow = files.ask("upload_stream", part(files, 1));
  await gate.reached;
  time.tick(28 * 60_000);
  files.transfers.beforePiece = () => Promise.resolve();
  await files.result("upload_stream", part(files, 0, { upload_id: "u2" }));
  gate.open();
  assertEquals((await slow).error, "");
  await files.result("upload_commit", COMMIT);
  assertEquals(await Deno.readFile(`${files.folder}/file`), CONTENT);
});

withFiles.test("FileUploads does not replace a folder, a FIFO or a device", async (files) => {
  await Deno.mkdir(`${files.folder}/file`);
  for (const index of [0, 1, 2]) await files.result("upload_stream", part(files, index));
  assertMatch(await files.error("upload_commit", COMMIT), /file: is a directory$/);
  await Deno.remove(`${files.folder}/file`);
  await new Deno.Command("mkfifo", { args: [`${files.folder}/file`] }).output();
  assertMatch(await files.error("upload_commit", COMMIT), /file: not a regular file$/);
  await Deno.remove(`${files.folder}/file`);
  await files.result("upload_commit", COMMIT);
});

withFiles.test("FileUploads bounds the number of uploads", async (files) => {
  for (let count = 0; count < 64; count++) {
    await files.result("upload_stream", part(files, 0, { upload_id: `many${count}` }));
  }
  assertMatch(await files.error("upload_stream", part(files, 0)), /too many uploads/);
  // One that is there already goes on, and takes no place more.
  await files.result("upload_stream", part(files, 0, { upload_id: "many6" }));
  await files.result("upload_cancel", { upload_id: "many5" });
  await files.result("upload_stream", part(files, 0));
  await files.result("upload_cancel", { upload_id: "u1" });
  await Deno.writeTextFile(`${files.folder}/plain`, "");
  for (let count = 0; count < 2; count++) {
    // What can't begin takes none either.
    await files.error("upload_stream", part(files, 0, { path: "~/plain/x" }));
    await files.result("upload_stream", part(files, 0));
    await files.result("upload_cancel", { upload_id: "u1" });
  }
});

withFiles.test("FileUploads.commit() writes a second upload of the same id, that of the same path too", async (files) => {
  const upload = { upload_id: "u1", path: "~/x", total_size: 1, chunk_size: 1 };
  for (const [index, byte] of [7, 8].entries()) {
    files.transfers.offered.set(`${index}`, Uint8Array.of(byte));
    const transfer = { transfer_id: `${index}`, transfer_token: "x" };
    const part = { ...upload, chunk_index: 0, offset: 0, first: true, ...transfer };
    await files.result("upload_stream", part);
    await files.result("upload_commit", upload);
    assertEquals(await Deno.readFile(`${files.folder}/x`), Uint8Array.of(byte));
  }
});
