import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { FileArguments } from "../../lib/remote/file_arguments.ts";
import { copyFile } from "../../lib/remote/file_copy.ts";
import type { FileResult } from "../../lib/types.ts";
import { contextOf, type FilesUnderTest, openFiles, withFiles } from "./file_requests_fixture.ts";
import { replaced } from "../replaced.ts";
import { restoring } from "../restoring.ts";
import { onLinux, onlyIf } from "../only_on.ts";
import { testsWith } from "../tests_with.ts";
import { mounted } from "../mounted.ts";

async function makeTree(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/tree/deep`, { recursive: true });
  await Deno.writeTextFile(`${folder}/tree/a`, "A".repeat(300_000));
  await Deno.chmod(`${folder}/tree/a`, 0o751);
  await Deno.utime(`${folder}/tree/a`, 1000, 1000);
  await Deno.symlink("../a", `${folder}/tree/deep/link`);
  await Deno.symlink(`${folder}/tree`, `${folder}/tree/deep/loop`);
  await Deno.chmod(`${folder}/tree/deep`, 0o1750);
  await Deno.utime(`${folder}/tree/deep`, 2000, 2000);
}

async function checkTree(path: string, folder: string): Promise<void> {
  assertEquals(await Deno.readTextFile(`${path}/a`), "A".repeat(300_000));
  const { mode, mtime } = await Deno.stat(`${path}/a`);
  assertEquals([mode! & 0o777, mtime?.getTime()], [0o751, 1_000_000]);
  const deep = await Deno.stat(`${path}/deep`);
  assertEquals([deep.mode! & 0o7777, deep.mtime?.getTime()], [0o1750, 2_000_000]);
  assertEquals(await Deno.readLink(`${path}/deep/link`), "../a");
  assertEquals(await Deno.readLink(`${path}/deep/loop`), `${folder}/tree`);
  assertEquals([...Deno.readDirSync(path)].map(({ name }) => name).sort(), ["a", "deep"]);
}

withFiles.test("copyFile() copies a tree with its links, modes and times", async (files) => {
  const { folder } = files;
  await makeTree(folder);
  const args = { source: "~/tree", destination: "~/new/copy" };
  assertEquals(await files.result("copy", args), { copied: true });
  await checkTree(`${folder}/tree`, folder);
  await checkTree(`${folder}/new/copy`, folder);
  // Once more over what is there.
  await files.result("copy", args);
  await checkTree(`${folder}/new/copy`, folder);
});

withFiles.test("copyFile() gives no rights of an owner or a group to a copy", async (files) => {
  const { folder } = files;
  await Deno.writeTextFile(`${folder}/tool`, "");
  await Deno.chmod(`${folder}/tool`, 0o6755);
  await files.result("copy", { source: "~/tool", destination: "~/copy" });
  assertEquals((await Deno.stat(`${folder}/copy`)).mode! & 0o7777, 0o755);
});

withFiles.test("copyFile() leaves devices, FIFOs and sockets out of a tree, and says so", async (files) => {
  await makeTree(files.folder);
  await new Deno.Command("mkfifo", { args: [`${files.folder}/tree/fifo`] }).output();
  const args = { source: "~/tree", destination: "~/copy" };
  assertEquals(await files.result("copy", args), { copied: true, skipped: 1 });
  await checkTree(`${files.folder}/copy`, files.folder);
  const single = { source: "~/tree/fifo", destination: "~/fifo" };
  assertMatch(await files.error("copy", single), /\/tree\/fifo: not a regular file$/);
  assertEquals(
    await files.error("copy", { source: "/dev/null", destination: "~/null" }),
    "/dev/null: not a regular file",
  );
});

withFiles.test("copyFile() follows a named link at its destination, but not to its own source", async (files) => {
  const { folder } = files;
  await Deno.writeTextFile(`${folder}/new`, "new");
  await Deno.writeTextFile(`${folder}/kept`, "kept");
  await Deno.symlink("kept", `${folder}/link`);
  await files.result("copy", { source: "~/new", destination: "~/link" });
  assertEquals(await Deno.readTextFile(`${folder}/kept`), "new");
  assertEquals(await Deno.readLink(`${folder}/link`), "kept");
  assertMatch(await files.error("copy", { source: "~/kept", destination: "~/link" }), /the same$/);
  // A link that is copied takes the place of another, and not of what that leads to.
  await Deno.symlink("kept", `${folder}/other`);
  await files.result("copy", { source: "~/link", destination: "~/other" });
  assertEquals(await Deno.readTextFile(`${folder}/kept`), "new");
  await files.result("copy", { source: "~/new", destination: "~/away/dangling" });
});

withFiles.test("copyFile() refuses to copy a folder into itself, through a link too", async (files) => {
  const { folder } = files;
  await makeTree(folder);
  await Deno.symlink("tree/deep", `${folder}/inside`);
  await Deno.symlink(".", `${folder}/same`);
  for (const destination of ["~/tree/deep/copy", "~/inside/copy", "~/same/tree/copy"]) {
    assertMatch(await files.error("copy", { source: "~/tree", destination }), /into itself/);
  }
  for (const destination of ["~/tree", "~/same/tree"]) {
    assertMatch(await files.error("copy", { source: "~/tree", destination }), /are the same/);
    assertEquals(await files.result("move", { source: "~/tree", destination }), { moved: true });
  }
  await checkTree(`${folder}/tree`, folder);
});

withFiles.test("copyFile() refuses to copy the root folder, by whatever path", async (files) => {
  await makeTree(files.folder);
  using _ = restoring(Deno, "realPath");
  Deno.realPath = () => Promise.resolve("/");
  const args = { source: "~/tree", destination: "~/copy" };
  assertMatch(await files.error("copy", args), /into itself/);
  assertEquals(files.names(), ["tree"]);
});

withFiles.test("copyFile() follows the links above its destination, which is beside a longer name", async (files) => {
  const { folder } = files;
  await makeTree(folder);
  await Deno.mkdir(`${folder}/tree-2`);
  await Deno.symlink("tree-2", `${folder}/link`);
  await files.result("copy", { source: "~/tree", destination: "~/link/copy" });
  await checkTree(`${folder}/tree-2/copy`, folder);
});

withFiles.test("copyFile() and moveFile() make no folders for a source that is not there", async (files) => {
  for (const op of ["copy", "move"]) {
    const args = { source: "~/none", destination: "~/new/none" };
    assertMatch(await files.error(op, args), /: no such file or directory$/);
    assertEquals(files.names(), []);
  }
});

withFiles.test("copyFile() and moveFile() wait for the folders above the destination", async (files) => {
  const { mkdir } = Deno;
  await makeTree(files.folder);
  using _ = restoring(Deno, "mkdir");
  Deno.mkdir = async (path, options) => {
    for (let turn = 0; turn < 10; turn++) await new Promise((turn) => setTimeout(turn, 0));
    await mkdir(path, options);
  };
  await files.result("copy", { source: "~/tree", destination: "~/a/b/copy" });
  await files.result("move", { source: "~/tree", destination: "~/c/d/tree" });
  await checkTree(`${files.folder}/a/b/copy`, files.folder);
  await checkTree(`${files.folder}/c/d/tree`, files.folder);
});

withFiles.test("copyFile() says why it can't make a folder", async (files) => {
  const { mkdir } = Deno;
  await makeTree(files.folder);
  using _ = restoring(Deno, "mkdir");
  Deno.mkdir = (path, options) =>
    options?.recursive
      ? mkdir(path, options)
      : Promise.reject(new Deno.errors.PermissionDenied("Permission denied (os error 13)"));
  const args = { source: "~/tree", destination: "~/copy" };
  assertEquals(await files.error("copy", args), `${files.folder}/tree: permission denied`);
});

withFiles.test("copyFile() leaves nothing of a file that could not be copied whole", async (files) => {
  const { folder } = files;
  await Deno.writeTextFile(`${folder}/source`, "x".repeat(1000));
  await Deno.mkdir(`${folder}/destination/sub`, { recursive: true });
  await files.error("copy", { source: "~/source", destination: "~/destination" });
  const names = files.names();
  assertEquals(names, ["destination", "source"]);
});

/** A tree to be copied, and a folder of another's with a secret that only they can read. */
async function makePrey(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/tree/deep`, { recursive: true });
  await Deno.writeTextFile(`${folder}/tree/deep/note`, "note");
  await Deno.chmod(`${folder}/tree/deep/note`, 0o644);
  await Deno.mkdir(`${folder}/private`, { mode: 0o700 });
  await Deno.writeTextFile(`${folder}/private/note`, "secret", { mode: 0o600 });
}

/** Runs `copy` of the tree, and `swap` as soon as the entry of that name was looked at. */
async function copyWithSwap(
  files: FilesUnderTest,
  { at, swap }: { at: string; swap: () => void },
): Promise<FileResult> {
  const { lstat } = Deno;
  let isSwapped = false;
  const hooked = async (path: string | URL) => {
    const info = await lstat(path);
    if (!isSwapped && `${path}`.endsWith(`/${at}`)) {
      isSwapped = true;
      swap();
    }
    return info;
  };
  using _ = replaced(Deno, { lstat: hooked });
  const result = await files.ask("copy", { source: "~/tree", destination: "~/copy" });
  assert(isSwapped, "it came to that entry");
  return result;
}

withFiles.test("copyFile() goes through no link that lies at the place of a folder", async (files) => {
  const { folder } = files;
  await makePrey(folder);
  await Deno.mkdir(`${folder}/copy`);
  await Deno.symlink("../private", `${folder}/copy/deep`);
  await files.error("copy", { source: "~/tree", destination: "~/copy" });
  assertEquals(await Deno.readTextFile(`${folder}/private/note`), "secret");
  assertEquals(files.names("private").length, 1);
});

/** What takes the place of an entry of the tree, and what is left of the copy below a folder. */
const SWAPS: readonly (readonly [
  what: string,
  at: "note" | "deep",
  put: (folder: string) => void,
  isOther: boolean,
])[] = [
  ["a link to a file", "note", (folder) => {
    Deno.symlinkSync(`${folder}/private/note`, `${folder}/tree/deep/note`);
  }, false],
  ["another file", "note", (folder) => {
    Deno.linkSync(`${folder}/private/note`, `${folder}/tree/deep/note`);
  }, true],
  ["a link to a folder", "deep", (folder) => {
    Deno.symlinkSync("../private", `${folder}/tree/deep`);
  }, false],
  ["another folder", "deep", (folder) => {
    Deno.renameSync(`${folder}/private`, `${folder}/tree/deep`);
  }, true],
];
for (const [what, at, put, isOther] of SWAPS) {
  withFiles.test(`copyFile() copies nothing of ${what} that has taken the place of what it has looked at`, async (files) => {
    const { folder } = files;
    await makePrey(folder);
    const place = at === "note" ? "deep/note" : "deep";
    const { ok, error } = await copyWithSwap(files, {
      at,
      swap: () => {
        Deno.renameSync(`${folder}/tree/${place}`, `${folder}/away`);
        put(folder);
      },
    });
    assertEquals([ok, files.names(at === "note" ? "copy/deep" : "copy")], [false, []]);
    if (isOther) assertMatch(error, /replaced by something else/);
  });
}

onLinux.test("copyFile() stays in the folders that it has opened, whatever takes their places", async () => {
  await using files = openFiles();
  const { folder } = files;
  await makePrey(folder);
  let mode = 0;
  const { ok } = await copyWithSwap(files, {
    at: "note",
    swap: () => {
      mode = Deno.statSync(`${folder}/copy/deep`).mode ?? 0;
      for (const path of ["tree", "copy"]) {
        Deno.renameSync(`${folder}/${path}/deep`, `${folder}/${path}-away`);
        Deno.symlinkSync("../private", `${folder}/${path}/deep`);
      }
    },
  });
  assertEquals(ok, true);
  assertEquals(await Deno.readTextFile(`${folder}/copy-away/note`), "note");
  assertEquals(await Deno.readTextFile(`${folder}/private/note`), "secret");
  assertEquals(mode & 0o777, 0o700, "nobody else's until it is whole");
  assertEquals((Deno.statSync(`${folder}/copy-away`).mode ?? 0) & 0o777, 0o755);
});

withFiles.test("moveFile() makes missing folders, replaces files and refuses a move into itself", async (files) => {
  const { folder } = files;
  await makeTree(folder);
  await Deno.writeTextFile(`${folder}/x`, "1");
  await Deno.writeTextFile(`${folder}/y`, "2");
  await files.result("move", { source: "~/x", destination: "~/y" });
  assertEquals(await Deno.readTextFile(`${folder}/y`), "1");
  assertEquals(await files.result("move", { source: "~/y", destination: "~/y" }), { moved: true });
  assertEquals(await files.result("move", { source: "~/tree", destination: "~/p/q/t" }), {
    moved: true,
  });
  await checkTree(`${folder}/p/q/t`, folder);
  await files.error("move", { source: "~/p", destination: "~/p/q/p" });
});

withFiles.test("moveFile() moves to a folder that has the same number on another device", async (files) => {
  const { stat } = Deno;
  const { folder } = files;
  await Deno.mkdir(`${folder}/a`);
  await Deno.writeTextFile(`${folder}/a/x`, "1");
  using _ = restoring(Deno, "stat");
  Deno.stat = async (path) => ({ ...await stat(path), ino: 1, dev: `${path}`.length });
  await files.result("move", { source: "~/a/x", destination: "~/other/x" });
  assertEquals(await Deno.readTextFile(`${folder}/other/x`), "1");
  assertEquals(files.names("a"), []);
});

withFiles.test("moveFile() does not mix a folder with another, and keeps both", async (files) => {
  const { folder } = files;
  await makeTree(folder);
  await Deno.mkdir(`${folder}/other`);
  await Deno.writeTextFile(`${folder}/other/b`, "B");
  await files.error("move", { source: "~/tree", destination: "~/other" });
  await checkTree(`${folder}/tree`, folder);
  assertEquals(files.names("other"), ["b"]);
});

const asLinuxRoot = onlyIf(Deno.build.os === "linux" && Deno.uid() === 0);

asLinuxRoot.test("moveFile() and copyFile() lose nothing when a mount shows the source at the destination too", async () => {
  await using files = openFiles();
  const { folder } = files;
  await Deno.mkdir(`${folder}/data`);
  await makeTree(`${folder}/data`);
  await Deno.mkdir(`${folder}/alias`);
  await using mount = await mounted(`${folder}/alias`, "--bind", `${folder}/data`);
  if (mount === undefined) return;
  for (const name of ["tree", "tree/a", "tree/deep/link"]) {
    const args = { source: `~/data/${name}`, destination: `~/alias/${name}` };
    assertEquals(await files.result("move", args), { moved: true });
    assertMatch(await files.error("copy", args), /are the same/);
    await checkTree(`${folder}/data/tree`, `${folder}/data`);
  }
  // Another name is another entry.
  const args = { source: "~/data/tree", destination: "~/alias/new" };
  assertEquals(await files.result("move", args), { moved: true });
  await checkTree(`${folder}/data/new`, `${folder}/data`);
  assertEquals(files.names("data"), ["new"]);
});

asLinuxRoot.test("copyFile() refuses to copy a folder into itself where a mount shows a part of it", async () => {
  await using files = openFiles();
  const { folder } = files;
  await Deno.mkdir(`${folder}/data/part`, { recursive: true });
  await Deno.mkdir(`${folder}/alias`);
  await using mount = await mounted(`${folder}/alias`, "--bind", `${folder}/data/part`);
  if (mount === undefined) return;
  const args = { source: "~/data", destination: "~/alias/copy" };
  assertMatch(await files.error("copy", args), /into itself/);
  // Nothing of the copy is in the copy.
  assertEquals(files.names("alias/copy/part"), []);
});

/** A tree in the home folder, and a folder on another file system. */
class TwoFileSystems implements AsyncDisposable {
  readonly files = openFiles();
  readonly other = Deno.makeTempDirSync({ dir: "/dev/shm" });

  async [Symbol.asyncDispose](): Promise<void> {
    await this.files[Symbol.asyncDispose]();
    await Deno.remove(this.other, { recursive: true });
  }
}

async function openTwo(): Promise<TwoFileSystems> {
  const two = new TwoFileSystems();
  await makeTree(two.files.folder);
  return two;
}

function isOtherFileSystem(): boolean {
  try {
    return Deno.statSync("/dev/shm").dev !== Deno.statSync("/tmp").dev;
  } catch {
    return false;
  }
}

const across = testsWith(openTwo, { ignore: !isOtherFileSystem() });
const acrossAsRoot = testsWith(openTwo, { ignore: !isOtherFileSystem() || Deno.uid() !== 0 });

acrossAsRoot.test("moveFile() keeps a source that a mount on another file system shows", async ({ files, other }) => {
  const { folder } = files;
  await Deno.mkdir(`${other}/whole`);
  await Deno.mkdir(`${other}/part/deep`, { recursive: true });
  await using whole = await mounted(`${other}/whole`, "--bind", `${folder}/tree`);
  await using part = await mounted(`${other}/part/deep`, "--bind", `${folder}/tree/deep`);
  if (whole === undefined || part === undefined) return;
  for (const name of ["whole", "part"]) {
    const args = { source: "~/tree", destination: `${other}/${name}` };
    assertMatch(await files.error("move", args), /into itself/);
    assertMatch(await files.error("copy", args), /into itself/);
    await checkTree(`${folder}/tree`, folder);
  }
});

across.test("moveFile() keeps the source when not all of it reaches the other file system", async ({ files, other }) => {
  const { folder } = files;
  await Deno.mkdir(`${other}/file/sub`, { recursive: true });
  const file = { source: "~/tree/a", destination: `${other}/file` };
  await files.error("move", file);
  await checkTree(`${folder}/tree`, folder);
  await new Deno.Command("mkfifo", { args: [`${folder}/tree/deep/fifo`] }).output();
  const tree = { source: "~/tree", destination: `${other}/tree` };
  assertEquals(
    await files.error("move", tree),
    `${folder}/tree: 1 devices, FIFOs, sockets or names that are not UTF-8 can't be moved; ` +
      "the source was kept",
  );
  assert((await Deno.lstat(`${folder}/tree/deep/fifo`)).isFifo);
  assertEquals(await Deno.readTextFile(`${folder}/tree/a`), "A".repeat(300_000));
});

across.test("moveFile() says that the source stays where it can't be deleted", async ({ files, other }) => {
  const { folder } = files;
  const { remove } = Deno;
  // Nothing is deleted.
  Deno.remove = () =>
    Promise.reject(new Deno.errors.PermissionDenied("Permission denied (os error 13)"));
  const args = { source: "~/tree", destination: `${other}/tree` };
  const error = await files.error("move", args).finally(() => Deno.remove = remove);
  assertEquals(error, "permission denied");
  await checkTree(`${folder}/tree`, folder);
  await checkTree(`${other}/tree`, folder);
});

across.test("moveFile() moves a link to another file system, not what it leads to", async ({ files, other }) => {
  const { folder } = files;
  await Deno.symlink(`${folder}/tree`, `${folder}/link`);
  await files.result("move", { source: "~/link", destination: `${other}/link` });
  assertEquals(await Deno.readLink(`${other}/link`), `${folder}/tree`);
  await checkTree(`${folder}/tree`, folder);
  assertEquals(files.names(), ["tree"]);
});

across.test("moveFile() copies and deletes between two file systems", async ({ files, other }) => {
  const { folder } = files;
  await files.result("move", { source: "~/tree", destination: `${other}/tree` });
  await checkTree(`${other}/tree`, folder);
  assertEquals(files.names(), []);
});

withFiles.test("copyFile() copies folders that are nested 256 deep, and no deeper ones", async (files) => {
  // By names of one letter, since a path takes 4096 bytes.
  const path = (depth: number) => `${files.folder}/tree${"/d".repeat(depth)}`;
  await Deno.mkdir(path(256), { recursive: true });
  await files.result("copy", { source: "~/tree", destination: "~/copy" });
  await Deno.stat(path(256).replace("/tree", "/copy"));
  await Deno.mkdir(path(257));
  const error = await files.error("copy", { source: "~/tree", destination: "~/again" });
  assertMatch(error, /: folders are nested more than 256 deep$/);
});

withFiles.test("copyFile() ends when it is told, before an entry and within a file", async (files) => {
  const { folder } = files;
  await Deno.writeTextFile(`${folder}/file`, "x");
  await Deno.symlink("file", `${folder}/link`);
  for (const [source, looks] of [["link", 0], ["file", 0], ["file", 1]] as const) {
    let left = looks;
    const signal = Object.assign(new AbortController().signal, {
      throwIfAborted() {
        if (left-- === 0) throw new Error("the time is over");
      },
    });
    const args = new FileArguments({ source: `~/${source}`, destination: "~/copy" }, folder);
    const context = contextOf(signal);
    await assertRejects(() => copyFile(args, context), Error, "the time is over");
    assertEquals(files.names(), ["file", "link"]);
  }
});
