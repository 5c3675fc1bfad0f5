import { assert, assertEquals, assertMatch } from "@std/assert";
import { timed } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { FilesUnderTest, Gate, openFiles, withFiles } from "./file_requests_fixture.ts";
import { eventually } from "./processes_below.ts";
import { restoring } from "../restoring.ts";

withFiles.test("FileRequests answers operations that it does not know", async (files) => {
  assertEquals(await files.error("read_link"), "unsupported file operation: read_link");
  assertEquals(await files.error("constructor"), "unsupported file operation: constructor");
  assertEquals((await files.error("x".repeat(10_000))).length, 68);
});

withFiles.test("FileRequests ignores a request that came before", async (files) => {
  const request = {
    kind: "file" as const,
    requestId: "twice",
    op: "create",
    args: { path: "~/x" },
  };
  files.requests.handle(request);
  files.requests.handle(request);
  await files.result("list_roots");
  await files.requests.close();
  assertEquals(files.answers.filter(({ requestId }) => requestId !== "r1"), [
    { requestId: "twice", ok: true, result: { created: true, size: 0 }, error: "" },
  ]);
});

withFiles.test("FileRequests runs a hundred requests at once, a few at a time", async (files) => {
  let running = 0;
  let most = 0;
  files.transfers.beforePiece = async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 0));
    running--;
  };
  await Deno.writeTextFile(`${files.folder}/x`, "12345");
  const answers = await Promise.all(Array.from({ length: 100 }, (_, at) => {
    const transfer = { transfer_id: `t${at}`, transfer_token: "x" };
    return files.ask("download_stream", { path: "~/x", offset: 0, length: 5, ...transfer });
  }));
  assert(answers.every(({ ok }) => ok));
  assertEquals(most, 4);
});

withFiles.test("FileRequests reads no more while four answers are on their way", async (files) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  files.sent = promise;
  const asked = Promise.all(Array.from({ length: 20 }, () => files.ask("list", { path: "~" })));
  while (files.answers.length < 4) await new Promise((resolve) => setTimeout(resolve, 0));
  await files.result("search", { path: "~", query: "x" });
  assertEquals(files.answers.length, 5);
  resolve();
  assertEquals((await asked).length, 20);
});

timed.test("FileRequests refuses what is too much at once, and answers everything", async (time) => {
  await using files = openFiles();
  const ask = (count: number, args: Record<string, unknown>) =>
    Promise.all(Array.from({ length: count }, () => files.ask("stat", { path: "~", ...args })));
  assertEquals((await ask(1000, {})).filter(({ ok }) => !ok), []);
  const long = { a: "x".repeat(4000), b: "x".repeat(4000) };
  const refused = (await ask(1000, long)).filter(({ ok }) => !ok);
  // Up to 4 MiB wait.
  const waiting = Math.floor(
    4 * 1024 * 1024 / (1024 + JSON.stringify({ path: "~", ...long }).length),
  );
  assertEquals(refused.length, 1000 - waiting);
  assert(refused.every(({ error }) => /^too many file requests/.test(error)));
  await files.requests.close();
  assertEquals(time.timers, 0);
});

timed.test("FileRequests answers in time, and does not run what has waited for too long", async (time) => {
  await using files = openFiles();
  await Deno.writeTextFile(`${files.folder}/x`, "12345");
  const hung = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  let aborted = 0;
  files.transfers.beforePiece = async (_transfer, signal) => {
    if (++aborted === 4) started.resolve();
    signal.addEventListener("abort", () => aborted--);
    await hung.promise;
  };
  const asked = Array.from({ length: 5 }, (_, at) => {
    const transfer = { transfer_id: `t${at}`, transfer_token: "x" };
    return files.ask("download_stream", { path: "~/x", offset: 0, length: 5, ...transfer });
  });
  await started.promise;
  time.tick(29 * 60_000);
  const errors = (await Promise.all(asked)).map(({ error }) => error);
  assertEquals(
    errors.slice(0, 4),
    Array(4).fill("timeout: download_stream did not end within 1740 s"),
  );
  assertMatch(errors[4] ?? "", /^too many file requests wait/);
  assertEquals(aborted, 0);
  hung.resolve();
  // All places are free again after this one, which is behind the one that was answered.
  await files.result("download_stream", {
    ...{ path: "~/x", offset: 0, length: 5, transfer_id: "t5", transfer_token: "x" },
  });
  await files.requests.close();
  assertEquals([files.answers.length, files.transfers.sent.has("t4")], [6, false]);
  assertEquals(time.timers, 0);
});

Deno.test("FileRequests.close() ends what waits without an answer", async () => {
  const folder = await Deno.makeTempDir();
  const files = new FilesUnderTest(folder);
  for (let count = 0; count < 20; count++) files.ask("list", { path: folder });
  await files.requests.close();
  const { length } = files.answers;
  files.ask("list", { path: folder });
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(files.answers.length, length);
  await Deno.remove(folder);
});

withFiles.test("FileRequests drops arguments that are no text, number or flag", async (files) => {
  const deep = JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`);
  const info = await files.result("stat", { path: null, deep });
  assert(typeof info === "object" && info !== null && "path" in info);
  assertEquals(info.path, "/");
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
  assertEquals(lines.length, 5, lines.join("\n"));
  lines.forEach((line, count) => {
    assert(line.endsWith(`remote: File request create of "${home}/${count}": done`), line);
  });
});

timed.test("FileRequests answers what waits as long as the panel does, by its kind", async (time) => {
  await using files = openFiles();
  const { promise, resolve } = Promise.withResolvers<void>();
  files.sent = promise;
  // Each lane is full while its answers are on their way.
  for (let count = 0; count < 4; count++) files.ask("list", { path: "~" });
  for (const op of ["search", "delete", "search", "delete"]) {
    files.ask(op, { path: "~/none", query: "x" });
  }
  while (files.answers.length < 8) await time.pass(1);
  const startMs = performance.now();
  const answers: string[] = [];
  const ops = ["stat", "create", "chmod", "upload_commit", "upload_cancel", "delete", "search"];
  for (const op of ops) {
    files.ask(op, { path: "~/none", query: "x" }).then(({ error }) => {
      answers.push(`${op} ${performance.now() - startMs} ${error.slice(0, 8)}`);
    });
  }
  await time.pass(90_000, { stepMs: 5_000 });
  assertEquals(answers, [
    "stat 25000 too many",
    "chmod 25000 too many",
    "upload_cancel 25000 too many",
    "delete 25000 too many",
    "create 55000 too many",
    "upload_commit 85000 too many",
    "search 85000 too many",
  ]);
  assertEquals(files.answers.length, 15);
  resolve();
});

timed.test("FileRequests says that a change takes longer, and lets it go on", async (time) => {
  const gate = new Gate();
  // Nothing is renamed at all.
  using _ = restoring(Deno, "rename");
  Deno.rename = gate.pass;
  const lines = await collectedLog(async () => {
    await using files = openFiles();
    await Deno.writeTextFile(`${files.folder}/a`, "");
    const asked = files.ask("move", { source: "~/a", destination: "~/b" });
    await gate.reached;
    time.tick(25_000);
    assertEquals((await asked).error, "move takes longer than 25 s and continues");
    gate.open();
    await files.result("list_roots");
    await files.requests.close();
    assertEquals(files.answers.length, 2, "it has been answered already");
  });
  assertMatch(lines[0] ?? "", /File request move of "\/.*\/a": done$/);
});

timed.test("FileRequests lets a copy go on that takes longer than the panel waits", async (time) => {
  const { symlink } = Deno;
  const gate = new Gate();
  await collectedLog(async (lines) => {
    await using files = openFiles();
    await Deno.mkdir(`${files.folder}/tree`);
    for (const name of ["a", "b"]) await symlink("x", `${files.folder}/tree/${name}`);
    using _ = restoring(Deno, "symlink");
    Deno.symlink = (from, to) => gate.pass().then(() => symlink(from, to));
    const asked = files.ask("copy", { source: "~/tree", destination: "~/copy" });
    await gate.reached;
    time.tick(25_000);
    assertEquals((await asked).error, "copy takes longer than 25 s and continues");
    gate.open();
    await eventually(() => lines.length > 0);
    assertMatch(lines[0] ?? "", /File request copy of "\/.*\/tree": done$/);
    assertEquals(files.names("copy"), ["a", "b"]);
  });
});

for (const op of ["list", "copy", "download_stream"]) {
  withFiles.test(`FileRequests.close() waits for ${op}, which runs, and gives no answer to it`, async (files) => {
    const { symlink, lstat } = Deno;
    const gate = new Gate();
    const { folder } = files;
    await symlink("nowhere", `${folder}/link`);
    await Deno.writeTextFile(`${folder}/file`, "12345");
    files.transfers.beforePiece = gate.pass;
    using _ = restoring(Deno, "symlink", "lstat");
    Deno.symlink = gate.pass;
    Deno.lstat = (path) => op === "list" ? gate.pass().then(() => lstat(path)) : lstat(path);
    files.ask(op, {
      ...{ path: op === "list" ? "~" : "~/file", source: "~/link", destination: "~/copy" },
      ...{ offset: 0, length: 5, transfer_id: "t1", transfer_token: "x" },
    });
    await gate.reached;
    let isClosed = false;
    const closing = files.requests.close().then(() => isClosed = true);
    for (let turn = 0; turn < 5; turn++) await new Promise((turn) => setTimeout(turn, 0));
    assertEquals(isClosed, false);
    gate.open();
    await closing;
    assertEquals(files.answers.filter(({ ok }) => !ok), []);
  });
}
