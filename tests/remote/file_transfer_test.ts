import { assert, assertEquals, assertMatch } from "@std/assert";
import { createPrivateFile } from "../../lib/remote/open_file.ts";
import { cases, sameLater } from "../cases.ts";
import { timed } from "../fake_time.ts";
import { replaced } from "../replaced.ts";
import { checksMerge, judgeDownload } from "../test_panel/transfer_rules.ts";
import { type FilesUnderTest, Gate, openFiles, withFiles } from "./file_requests_fixture.ts";
import { eventually } from "./processes_below.ts";

const CONTENT = Uint8Array.from({ length: 5000 }, (_, at) => at * 7);

/** The arguments for a part of a file of 5000 bytes, which is sent to the panel. */
async function download(files: FilesUnderTest) {
  await Deno.writeFile(`${files.folder}/file`, CONTENT);
  const { size, modified_at } = Object(await files.result("stat", { path: "~/file" }));
  return {
    ...{ path: "~/file", offset: 1000, length: 2500, chunk_index: 1, file_size: size, modified_at },
    ...{ transfer_id: "t1", transfer_token: "secret" },
  };
}

const SENT = '{"sent":2500}';
const CHANGED = "~/file: the file has changed since the download began";

withFiles.test("sendFilePart() sends exactly the part that was asked for, of a file that has grown too", async (files) => {
  const args = await download(files);
  assertEquals(await files.outcome("download_stream", args), SENT);
  assertEquals(files.transfers.sent.get("t1"), CONTENT.slice(1000, 3500));
  const rest = { ...args, offset: 4999, length: 1, transfer_id: "t2" };
  assertEquals(await files.outcome("download_stream", rest), '{"sent":1}');
  assertEquals(files.transfers.sent.get("t2"), CONTENT.slice(4999));
  const grow = () => Deno.writeFile(`${files.folder}/file`, new Uint8Array(99), { append: true });
  await grow();
  files.transfers.beforePiece = grow;
  const grown = { ...args, transfer_id: "t3" };
  assertEquals(await files.outcome("download_stream", grown), SENT);
  assertEquals(files.transfers.sent.get("t3"), CONTENT.slice(1000, 3500));
  assertEquals(await files.outcome("download_stream", { ...args, offset: 2501 }), CHANGED);
});

/** What is asked otherwise of a file of 5000 bytes from 20.25 s of a minute, and what it comes to. */
const DOWNLOADS = cases(`
"modified_at": "2023-11-15T00:13:20.250+02:00" → {"sent":2500}
"modified_at": "" → {"sent":2500}
"modified_at": "?" → {"sent":2500}
"modified_at": "0001-01-01T00:00:00Z" → {"sent":2500}
"modified_at": "2023-11-14T22:13:20.26Z" → ~/file: the file has changed since the download began
"file_size": 5001 → ~/file: the file has changed since the download began
"offset": 4000 → ~/file: the file has changed since the download began
"offset": 5000, "length": 1 → ~/file: the file has changed since the download began
"offset": -1 → ~/file: invalid argument: offset must be a whole number from 0 to 9007199254740991
"offset": 0.5 → ~/file: invalid argument: offset must be a whole number from 0 to 9007199254740991
"length": 0 → ~/file: invalid argument: length must be a whole number from 1 to 9007199254740991
"length": 9007199254740992 → ~/file: invalid argument: length must be a whole number from 1 to 9007199254740991
"length": "5" → ~/file: invalid argument: length must be a whole number from 1 to 9007199254740991
"transfer_id": "" → ~/file: invalid argument: transfer_id must be 1 to 128 letters, digits, - or _
"transfer_id": "../x" → ~/file: invalid argument: transfer_id must be 1 to 128 letters, digits, - or _
"path": "~/fifo" → ~/fifo: not a regular file
"path": "~/link" → ~/link: not a regular file
"path": "~" → ~: not a regular file
"path": "/dev/zero" → /dev/zero: not a regular file
"path": "/dev/tty" → /dev/tty: not a regular file
`);

withFiles.test("sendFilePart() refuses another file, parts beyond its end, devices and FIFOs", async (files) => {
  const args = { ...await download(files), modified_at: "2023-11-14T22:13:20.25Z" };
  await files.sh("touch -d @1700000000.25 file; mkfifo fifo; ln -s fifo link");
  const asked = (change: string) =>
    files.outcome("download_stream", { ...args, ...JSON.parse(`{${change}}`) });
  await sameLater(asked, DOWNLOADS);
  let pieces = 0;
  files.transfers.beforePiece = async () => {
    if (++pieces === 2) await Deno.truncate(`${files.folder}/file`, 1500);
  };
  assertEquals(await asked(""), CHANGED);
});

const UPLOAD = {
  ...{ path: "~/file", upload_id: "u1", chunk_count: 3, total_size: 5000, chunk_size: 2000 },
};
const COMMIT = { ...UPLOAD, offset: 5000, chunk_index: 3, first: false, final: true };
const DONE = '{"received":0,"final":true,"offset":5000}';

type Changes = Record<string, unknown>;

/** The arguments for a part of {@linkcode CONTENT}, which is uploaded in three. */
function part(files: FilesUnderTest, index: number, more: Changes = {}) {
  const offset = index * 2000;
  const transfer_id = `t${index}-${crypto.randomUUID()}`;
  files.transfers.offered.set(transfer_id, CONTENT.slice(offset, offset + 2000));
  const place = { offset, chunk_index: index, first: index === 0, final: false };
  return { ...UPLOAD, ...place, transfer_id, transfer_token: "secret", ...more };
}

/** Uploads all parts, each after the other. */
async function uploadAll(files: FilesUnderTest, path = "~/file"): Promise<void> {
  for (const index of [0, 1, 2]) await files.result("upload_stream", part(files, index, { path }));
}

/** What an upload of a part comes to. */
function upload(files: FilesUnderTest, index: number, more: Changes = {}): Promise<string> {
  return files.outcome("upload_stream", part(files, index, more));
}

/** Asserts that the commit goes well, and that the upload is whole at its place. */
async function assertWhole(
  files: FilesUnderTest,
  path = "file",
  committed = files.outcome("upload_commit", COMMIT),
): Promise<void> {
  assertEquals(await committed, DONE);
  assertEquals(await Deno.readFile(`${files.folder}/${path}`), CONTENT);
}

withFiles.test("FileUploads puts parts together in any order, and names the file at the commit", async (files) => {
  await files.sh("printf before >file; chmod 640 file");
  // All at once, the second and third before the first has begun its file.
  assertEquals(await Promise.all([0, 2, 1].map((index) => upload(files, index))), [
    '{"received":2000,"offset":2000}',
    '{"received":1000,"offset":5000}',
    '{"received":2000,"offset":4000}',
  ]);
  const beside = await files.sh("cat file; echo; stat -c '%n %a' .komari* file");
  assertEquals(beside, "before .komari-upload-u1.part 600 file 640");
  await assertWhole(files);
  assertEquals(await files.sh("stat -c %a file; ls -A"), "640 file");
  // The panel may not have got the answer, or the agent was started anew: it looks for the file then.
  const error = await files.outcome("upload_commit", COMMIT);
  assert(checksMerge(error), error);
  assertEquals(judgeDownload(error), "three tries");
  // The same again is another upload.
  await uploadAll(files);
  await assertWhole(files);
});

withFiles.test("FileUploads makes missing folders, and writes through a link to the file behind it", async (files) => {
  await files.sh("mkdir real; printf before >real/file; ln -s real/file link");
  for (const [path, target] of [["a/b/new", "a/b/new"], ["link", "real/file"]] as const) {
    await uploadAll(files, `~/${path}`);
    await assertWhole(files, target);
  }
  const left = await files.sh("stat -c %a a/b/new; readlink link; ls -A a/b real");
  assertEquals(left, "644 real/file a/b: new  real: file");
});

withFiles.test("FileUploads takes a part again that was cut off, the first one too", async (files) => {
  await upload(files, 0);
  await upload(files, 1);
  for (const index of [0, 2]) {
    const cut = part(files, index);
    files.transfers.offered.set(cut.transfer_id, CONTENT.slice(0, 500));
    assertMatch(await files.outcome("upload_stream", cut), /cut off/);
    assertMatch(await files.outcome("upload_commit", COMMIT), /incomplete/);
  }
  await upload(files, 2);
  assertMatch(await files.outcome("upload_commit", COMMIT), /incomplete: 2 of 3/);
  await upload(files, 0);
  await assertWhole(files);
});

withFiles.test("FileUploads.cancel() ends parts that arrive, and is no error when there is nothing", async (files) => {
  const arriving = Promise.withResolvers<void>();
  let isOver = false;
  files.transfers.beforePiece = async (_transfer, signal) => {
    arriving.resolve();
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    // The last piece takes its time.
    for (let turn = 0; turn < 5; turn++) await new Promise((turn) => setTimeout(turn, 0));
    isOver = true;
    signal.throwIfAborted();
  };
  const first = upload(files, 0);
  await arriving.promise;
  assertEquals(files.names(), [".komari-upload-u1.part"]);
  const cancel = { upload_id: "u1", path: "~/file" };
  for (let time = 0; time < 2; time++) {
    assertEquals(await files.outcome("upload_cancel", cancel), '{"cancelled":true}');
    assertEquals([files.names(), isOver], [[], true]);
  }
  assertMatch(await first, /cancelled/);
  assertMatch(await upload(files, 1), /unknown upload/);
});

timed.test("FileUploads removes an upload of which no part began for half an hour", async (time) => {
  await using files = openFiles();
  const left = (names: string) => eventually(() => `${files.names()}` === names);
  await upload(files, 0);
  time.tick(15 * 60_000);
  await upload(files, 0, { upload_id: "u2" });
  await upload(files, 1);
  time.tick(30 * 60_000 - 1);
  assertMatch(await upload(files, 2), /received/);
  // The second was asked for nothing since.
  time.tick(1);
  await left(".komari-upload-u1.part");
  time.tick(30 * 60_000);
  await left("");
  assertMatch(await upload(files, 1), /unknown upload/);
  await files.requests.close();
  assertEquals(time.timers, 0);
});

const WRONG_PARTS = cases(`
"upload_id": "u2" → unknown upload session: its first part did not come
"upload_id": "../../x" → invalid argument: upload_id must be 1 to 128 letters, digits, - or _
"upload_id": "" → invalid argument: upload_id must be 1 to 128 letters, digits, - or _
"offset": 1 → invalid argument: part 1 has a wrong offset
"chunk_index": 3, "offset": 6000 → invalid argument: part 3 has a wrong offset
"chunk_index": -1 → invalid argument: chunk_index must be a whole number from 0 to 65536
"first": true, "upload_id": "u3", "total_size": 2000 → invalid argument: part 1 has a wrong offset
"first": true, "upload_id": "u4", "chunk_size": 1, "total_size": 65537
  → invalid argument: more than 65536 parts
"first": true, "upload_id": "u4", "chunk_size": 268435456
  → invalid argument: chunk_size must be a whole number from 1 to 134217728
`);

withFiles.test("FileUploads refuses parts that do not belong together", async (files) => {
  await upload(files, 0);
  const wrong = (change: string) => upload(files, 1, JSON.parse(`{${change}}`));
  await sameLater(wrong, WRONG_PARTS.map(([change, words]) => [change, `~/file: ${words}`]));
  await files.result("upload_cancel", { upload_id: "u3" });
  assertEquals(files.names(), [".komari-upload-u1.part"]);
});

withFiles.test("FileUploads neither writes to another file at the place of its own, nor takes it or another length", async (files) => {
  await files.sh("printf kept >victim; chmod 600 victim");
  for (const put of ["ln -s victim", "ln victim", "ln -s own", "truncate -s 4999"]) {
    await upload(files, 0);
    const isOther = put.startsWith("ln");
    if (isOther) await files.sh(`mv .komari-upload-u1.part own; ${put} .komari-upload-u1.part`);
    for (const index of [1, 2]) assertMatch(await upload(files, index), /received/);
    if (!isOther) await files.sh(`${put} .komari-upload-u1.part`);
    assertMatch(await files.outcome("upload_commit", COMMIT), /disturbed/);
    assertEquals(await files.sh("cat victim; stat -c ' %a' victim; rm -f own"), "kept 600");
    // It is over then, and leaves nothing.
    assertEquals(files.names(), ["victim"]);
  }
  await uploadAll(files);
  await assertWhole(files);
});

withFiles.test("FileUploads.commit() keeps the owner, and gives no rights of an owner or a group", async (files) => {
  // Only root may give a file away.
  const [uid, gid] = Deno.uid() === 0 ? [12, 34] : [Deno.uid(), Deno.gid()];
  await files.sh(`: >file; chown ${uid}:${gid} file; chmod 6751 file`);
  await uploadAll(files);
  await files.result("upload_commit", COMMIT);
  assertEquals(await files.sh("stat -c '%u %g %a' file"), `${uid} ${gid} 751`);
});

withFiles.test("FileUploads.commit() brings the content to the disk before its name", async (files) => {
  await uploadAll(files);
  const steps: string[] = [];
  const { rename } = Deno;
  const handle = await createPrivateFile(`${files.folder}/any`);
  const prototype: { sync(): Promise<void> } = Object.getPrototypeOf(handle);
  await handle.close();
  using _handle = replaced(prototype, { sync: async () => void await steps.push("content") });
  using _ = replaced(Deno, { rename: (from, to) => (steps.push("name"), rename(from, to)) });
  await files.result("upload_commit", COMMIT);
  assertEquals(steps, ["content", "name"]);
});

withFiles.test("FileUploads.commit() takes no part and no other commit meanwhile: the panel looks for the file then", async (files) => {
  await uploadAll(files);
  const { rename } = Deno;
  const gate = new Gate();
  using _ = replaced(Deno, { rename: (from, to) => gate.pass().then(() => rename(from, to)) });
  const committed = files.outcome("upload_commit", COMMIT);
  await gate.reached;
  assertMatch(await upload(files, 1), /unknown upload/);
  assert(checksMerge(await files.outcome("upload_commit", COMMIT)));
  gate.open();
  await assertWhole(files, "file", committed);
});

withFiles.test("FileUploads does not replace a folder, a FIFO or a device", async (files) => {
  await sameLater(async (make) => {
    await uploadAll(files);
    await files.sh(`${make} file`);
    const error = await files.outcome("upload_commit", COMMIT);
    await files.sh("rm -r file");
    return [error, files.names()];
  }, [
    ["mkdir", ["~/file: is a directory", []]],
    ["mkfifo", ["~/file: not a regular file", []]],
    ["ln -s nowhere", [DONE, []]],
  ]);
});

withFiles.test("FileUploads bounds the number of uploads", async (files) => {
  const many = (count: number) => upload(files, 0, { upload_id: `many${count}` });
  for (let count = 0; count < 64; count++) assertMatch(await many(count), /received/);
  assertMatch(await upload(files, 0), /too many uploads/);
  // One that is there already goes on, and takes no place more.
  assertMatch(await many(6), /received/);
  await files.result("upload_cancel", { upload_id: "many5" });
  await files.sh(": >plain");
  for (let count = 0; count < 2; count++) {
    // What can't begin takes none either.
    assertMatch(await upload(files, 0, { path: "~/plain/x" }), /^~\/plain: /);
    assertMatch(await upload(files, 0), /received/);
    await files.result("upload_cancel", { upload_id: "u1" });
  }
});
