import { assert, assertEquals, assertMatch } from "@std/assert";
import { timed } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { mountedInMemory } from "../mounted.ts";
import { replaced } from "../replaced.ts";
import { type FilesUnderTest, Gate, openFiles, withFiles } from "./file_requests_fixture.ts";
import { eventually } from "./processes_below.ts";

const realTurn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** Asks for a file of five bytes. */
function download(files: FilesUnderTest, transfer_id: string): Promise<string> {
  const transfer = { transfer_id, transfer_token: "secret" };
  return files.outcome("download_stream", { path: "~/x", offset: 0, length: 5, ...transfer });
}

withFiles.test("FileRequests answers operations that it does not know, and each request once", async (files) => {
  const unknown = (op: string) => `unsupported file operation: ${op}`;
  for (const op of ["read_link", "constructor"]) assertEquals(await files.outcome(op), unknown(op));
  assertEquals((await files.outcome("x".repeat(10_000))).length, 68);
  files.answers.length = 0;
  const request = {
    kind: "file",
    requestId: "twice",
    op: "create",
    args: { path: "~/x" },
  } as const;
  for (let time = 0; time < 2; time++) files.requests.handle(request);
  await eventually(() => files.answers.length > 0);
  await files.requests.close();
  const result = { created: true, size: 0 };
  assertEquals(files.answers, [{ requestId: "twice", ok: true, result, error: "" }]);
});

withFiles.test("FileRequests runs a hundred requests at once, four at a time", async (files) => {
  let running = 0;
  let most = 0;
  files.transfers.beforePiece = async () => {
    most = Math.max(most, ++running);
    await realTurn();
    running--;
  };
  await files.sh("printf 12345 >x");
  const all = Array.from({ length: 100 }, (_, at) => download(files, `t${at}`));
  assertEquals(new Set(await Promise.all(all)), new Set(['{"sent":5}']));
  assertEquals(most, 4);
});

withFiles.test("FileRequests reads no more while four answers, or a long list, are on their way", async (files) => {
  await files.sh("mkdir many; seq 1001 | sed s,^,many/, | xargs touch");
  for (const [path, most] of [["~", 4], ["~/many", 1]] as const) {
    const { promise, resolve } = Promise.withResolvers<void>();
    files.sent = promise;
    files.answers.length = 0;
    const asked = Promise.all(Array.from({ length: 20 }, () => files.ask("list", { path })));
    await eventually(() => files.answers.length >= most);
    // Others don't wait for them.
    await files.result("search", { path: "~/many", query: "x" });
    assertEquals(files.answers.length, most + 1);
    resolve();
    assertEquals((await asked).length, 20);
  }
});

timed.test("FileRequests refuses what is too much at once, and answers everything", async (time) => {
  await using files = openFiles();
  const ask = (count: number, args: Record<string, unknown>) =>
    Promise.all(Array.from({ length: count }, () => files.ask("stat", { path: "~", ...args })));
  assertEquals((await ask(1000, {})).filter(({ ok }) => !ok), []);
  // What no operation reads does no harm.
  const deep = JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`);
  assertEquals((await ask(1, { path: null, deep })).map(({ ok }) => ok), [true]);
  const long = { a: "x".repeat(4000), b: "x".repeat(4000) };
  const refused = (await ask(1000, long)).filter(({ ok }) => !ok);
  // Up to 4 MiB wait.
  const each = 1024 + JSON.stringify({ path: "~", ...long }).length;
  assertEquals(refused.length, 1000 - Math.floor(4 * 1024 * 1024 / each));
  assert(refused.every(({ error }) => /^too many file requests/.test(error)));
  await files.requests.close();
  assertEquals(time.timers, 0);
});

timed.test("FileRequests answers in time, and does not run what has waited for too long", async (time) => {
  await using files = openFiles();
  await files.sh("printf 12345 >x");
  const hung = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  let aborted = 0;
  files.transfers.beforePiece = async (_transfer, signal) => {
    if (++aborted === 4) started.resolve();
    signal.addEventListener("abort", () => aborted--);
    await hung.promise;
  };
  const asked = Array.from({ length: 5 }, (_, at) => download(files, `t${at}`));
  await started.promise;
  time.tick(29 * 60_000);
  assertEquals(await Promise.all(asked), [
    ...Array(4).fill("timeout: download_stream did not end within 1740 s"),
    "too many file requests wait: try again later",
  ]);
  assertEquals(aborted, 0);
  hung.resolve();
  // All places are free again after this one, which is behind the one that was answered.
  assertEquals(await download(files, "t5"), '{"sent":5}');
  await files.requests.close();
  assertEquals([files.answers.length, files.transfers.sent.has("t4")], [6, false]);
  assertEquals(time.timers, 0);
});

timed.test("FileRequests answers what waits as long as the panel does, by its kind", async (time) => {
  await using files = openFiles();
  const { promise, resolve } = Promise.withResolvers<void>();
  files.sent = promise;
  // Each lane is full while its answers are on their way.
  const full = [...Array<string>(4).fill("list"), "search", "delete", "search", "delete"];
  for (const op of full) files.ask(op, { path: op === "list" ? "~" : "~/none", query: "x" });
  while (files.answers.length < 8) await time.pass(1);
  const startMs = performance.now();
  const answers: string[] = [];
  const ops = ["stat", "create", "chmod", "upload_commit", "upload_cancel", "delete", "search"];
  for (const op of ops) {
    files.ask(op, { path: "~/none", query: "x" }).then(({ error }) => {
      answers.push(`${op} ${(performance.now() - startMs) / 1000} ${error.slice(0, 8)}`);
    });
  }
  await time.pass(90_000, { stepMs: 5_000 });
  assertEquals(answers, [
    ...["stat", "chmod", "upload_cancel", "delete"].map((op) => `${op} 25 too many`),
    "create 55 too many",
    ...["upload_commit", "search"].map((op) => `${op} 85 too many`),
  ]);
  assertEquals(files.answers.length, 15);
  resolve();
});

timed.test("FileRequests says that a copy takes longer, and lets it go on", async (time) => {
  const { symlink } = Deno;
  const gate = new Gate();
  await collectedLog(async (lines) => {
    await using files = openFiles();
    await files.sh("mkdir -p a/b; ln -s x a/1; ln -s x a/b/2");
    using _ = replaced(Deno, { symlink: (from, to) => gate.pass().then(() => symlink(from, to)) });
    const asked = files.transfer("copy", "a", "b");
    await gate.reached;
    time.tick(25_000);
    assertEquals(await asked, "copy takes longer than 25 s and continues");
    gate.open();
    await eventually(() => lines.length > 0);
    assertMatch(lines[0] ?? "", /File request copy of "\/.*\/a to \/.*\/b": done$/);
    assertEquals([files.names("b/b"), files.answers.length], [["2"], 1]);
  });
});

Deno.test("FileRequests logs few of many changes, and what is only looked at not at all", async () => {
  let home = "";
  const lines = await collectedLog(async () => {
    await using files = openFiles();
    home = files.folder;
    for (let count = 0; count < 20; count++) {
      await files.result("create", { path: `~/${count}` });
      await files.result("stat", { path: `~/${count}` });
    }
  });
  assertEquals(
    lines.map((line) => line.slice(line.indexOf("remote: "))),
    [0, 1, 2, 3, 4].map((count) => `remote: File request create of "${home}/${count}": done`),
  );
});

withFiles.test("FileRequests.close() waits for what runs, and answers neither it nor what waits", async (files) => {
  const gate = new Gate();
  await files.sh("ln -s nowhere link");
  using _ = replaced(Deno, { symlink: gate.pass });
  for (let count = 0; count < 9; count++) files.transfer("copy", "link", `copy${count}`);
  await gate.reached;
  let isClosed = false;
  const closing = files.requests.close().then(() => isClosed = true);
  files.ask("list_roots");
  for (let turn = 0; turn < 5; turn++) await realTurn();
  assertEquals(isClosed, false);
  gate.open();
  await closing;
  assertEquals(files.answers, []);
});

withFiles.test("FileRequests says that the disk is full, and leaves no part of a file on it", async (files) => {
  await files.sh(`mkdir disk tree; head -c 300000 /dev/zero >large
    for i in 1 2 3 4 5 6 7; do head -c 30000 /dev/zero >tree/$i; done`);
  await using mount = await mountedInMemory(`${files.folder}/disk`, "size=128k");
  if (mount === undefined) return;
  const upload = { path: "~/disk/file", upload_id: "u1", total_size: 300_000, first: true };
  const part = { chunk_index: 0, offset: 0, chunk_size: 300_000, transfer_id: "t1" };
  files.transfers.offered.set("t1", new Uint8Array(300_000));
  const full = "no space left on device";
  const uploaded = await files.outcome("upload_stream", { ...upload, ...part });
  assertEquals(uploaded, `~/disk/file: ${full}`);
  await files.result("upload_cancel", upload);
  assertEquals(await files.transfer("copy", "large", "disk/x"), `~/large to ~/disk/x: ${full}`);
  assertEquals(files.names("disk"), []);
  for (let time = 0; time < 2; time++) {
    assertMatch(await files.transfer("copy", "tree", "disk/copy"), /tree\/\d: no space left/);
    assertEquals(await files.sh("cd disk; find . -type f ! -size 30000c"), "");
  }
});
