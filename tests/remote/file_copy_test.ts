import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import { FileArguments } from "../../lib/remote/file_arguments.ts";
import { copyFile } from "../../lib/remote/file_copy.ts";
import { FolderReader } from "../../lib/remote/folder_reader.ts";
import { cases, sameLater } from "../cases.ts";
import { mounted } from "../mounted.ts";
import { onLinux, onlyIf } from "../only_on.ts";
import { replaced } from "../replaced.ts";
import { restoring } from "../restoring.ts";
import { contextOf, type FilesUnderTest, openFiles, withFiles } from "./file_requests_fixture.ts";

const COPIED = '{"copied":true}';
const MOVED = '{"moved":true}';

/** Makes a tree with a file of several buffers, links and special bits. */
const TREE = `mkdir -p tree/deep; yes A | head -c 300000 >tree/a; chmod 751 tree/a
  ln -s ../a tree/deep/link; ln -s "$PWD/tree" tree/deep/loop
  chmod 1750 tree/deep; touch -d @1000 tree/a; touch -d @2000 tree/deep`;

/** What is seen of that tree at a path: kinds, modes, sizes, times and targets. */
async function look(files: FilesUnderTest, path: string): Promise<string> {
  const seen = await files.sh(`cd "${path}"; find . -mindepth 1 -type l -printf '%P>%l\\n' \\
    -o -type f -printf '%P f %m %s %T@\\n' -o -mindepth 1 -printf '%P d %m %T@\\n' |
    sed 's/[.]0*$//' | sort; cksum <a`);
  return seen.replaceAll(files.folder, "~");
}

withFiles.test("copyFile() copies a tree with its links, modes and times, over what is there too", async (files) => {
  await files.sh(TREE);
  const before = await look(files, "tree");
  assertMatch(before, /a f 751 300000 1000 deep d 1750 2000 deep.link>\.\.\/a deep.loop>~\/tree/);
  for (let time = 0; time < 2; time++) {
    assertEquals(await files.transfer("copy", "tree", "new/copy"), COPIED);
    assertEquals([await look(files, "new/copy"), await look(files, "tree")], [before, before]);
  }
  // The links above a destination are followed, and a longer name is another folder.
  await files.sh("mkdir tree-2; ln -s tree-2 link");
  assertEquals(await files.transfer("copy", "tree", "link/copy"), COPIED);
  assertEquals(await look(files, "tree-2/copy"), before);
});

withFiles.test("copyFile() leaves out devices, FIFOs, sockets and the rights of an owner or a group", async (files) => {
  await files.sh(`${TREE}; chmod 6755 tree/a; mkfifo tree/fifo
    printf small >tree/deep/s; chmod 6775 tree/deep/s; touch -d @3000 tree/deep/s`);
  assertEquals(await files.transfer("copy", "tree", "copy"), '{"copied":true,"skipped":1}');
  assertEquals(await files.sh("stat -c %a copy/a; ls copy"), "755 a deep");
  assertEquals(await files.sh("stat -c '%a %Y' copy/deep/s"), "775 3000");
  assertMatch(await files.transfer("copy", "tree/fifo", "x"), /fifo to ~\/x: not a regular file$/);
  assertMatch(await files.transfer("copy", "/dev/null", "x"), /^\/dev\/null to .*: not a regular/);
});

withFiles.test("copyFile() follows a named link at its destination, but not to its own source", async (files) => {
  await files.sh("printf new >new; printf kept >kept; ln -s kept link; ln -s kept other");
  assertEquals(await files.transfer("copy", "new", "link"), COPIED);
  assertEquals(await files.sh("cat kept; readlink link"), "newkept");
  const same = "~/kept to ~/link: source and destination are the same";
  assertEquals(await files.transfer("copy", "kept", "link"), same);
  // A link that is copied takes the place of another, and not of what that leads to.
  assertEquals(await files.transfer("copy", "link", "other"), COPIED);
  assertEquals(await files.sh("cat kept; readlink other"), "newkept");
});

withFiles.test("copyFile() and moveFile() refuse to put a folder into itself, through a link too", async (files) => {
  await files.sh(`${TREE}; ln -s tree/deep inside; ln -s . same`);
  const before = await look(files, "tree");
  for (const destination of ["tree/deep/copy", "inside/copy", "same/tree/copy"]) {
    assertMatch(await files.transfer("copy", "tree", destination), /copy a folder into itself/);
  }
  assertMatch(await files.transfer("move", "tree", "tree/deep/x"), /be moved into itself/);
  for (const destination of ["tree", "same/tree"]) {
    assertMatch(await files.transfer("copy", "tree", destination), /are the same/);
    assertEquals(await files.transfer("move", "tree", destination), MOVED);
  }
  assertEquals(await look(files, "tree"), before);
  const { stat } = Deno;
  using _ = restoring(Deno, "stat");
  // A mount shows the folder at whatever place above.
  const info = await stat(`${files.folder}/tree`);
  Deno.stat = (path) => path === "/" ? Promise.resolve(info) : stat(path);
  assertMatch(await files.transfer("copy", "tree", "copy"), /into itself/);
  assertEquals(files.names(), ["inside", "same", "tree"]);
});

withFiles.test("copyFile() and moveFile() make no folders above the destination in vain", async (files) => {
  for (const op of ["copy", "move"] as const) {
    const missing = "~/none: no such file or directory";
    assertEquals(await files.transfer(op, "none", "new/none"), missing);
  }
  assertEquals(files.names(), []);
});

/** A tree to be copied, and a folder of another's with a secret that only they can read. */
const PREY = `mkdir -p tree/deep; printf note >tree/deep/note; chmod 644 tree/deep/note
  mkdir -m 700 private; printf secret >private/note; chmod 600 private/note`;

/** Runs `copy` of the tree, and a script when an entry was seen, or listed with its folder. */
async function copyWithSwap(files: FilesUnderTest, at: string, script: string): Promise<string> {
  const [step = "", name = ""] = at.split(" ");
  let isSwapped = false;
  const swapIf = async (isThere: boolean) => {
    if (!isThere || isSwapped) return;
    isSwapped = true;
    await files.sh(script);
  };
  const { lstat } = Deno;
  const looked = async (path: string | URL) => {
    const info = await lstat(path);
    await swapIf(step === "seen" && `${path}`.endsWith(`/${name}`));
    return info;
  };
  using _lstat = replaced(Deno, { lstat: looked });
  const { read } = FolderReader.prototype;
  using _read = replaced(FolderReader.prototype, {
    async read(path, take) {
      const names: string[] = [];
      await read.call(this, path, (entries) => {
        names.push(...entries.map(({ name }) => name));
        take(entries);
      });
      await swapIf(step === "listed" && names.includes(name));
    },
  });
  const result = await files.transfer("copy", "tree", "copy");
  assert(isSwapped, "it came to that entry");
  return result;
}

withFiles.test("copyFile() goes through no link that lies at the place of a folder", async (files) => {
  await files.sh(`${PREY}; mkdir copy; ln -s ../private copy/deep`);
  assertMatch(await files.transfer("copy", "tree", "copy"), /not a directory/);
  assertEquals(await files.sh("cat private/note; ls private"), "secretnote");
});

/**
 * When what takes an entry's place, and how; what comes of it, and what the copy has then.
 * Another file that is there when it is opened is copied with its own mode, as if it had been there before.
 */
const SWAPS = cases(`
seen note: ln -s "$PWD/private/note" → ~/tree/deep/note: too many symbolic links encountered deep/
seen note: ln private/note → ~/tree/deep/note: it was replaced by something else meanwhile deep/
seen deep: ln -s ../private → ~/tree/deep: not a directory
seen deep: mv private → ~/tree/deep: it was replaced by something else meanwhile
listed note: ln -s "$PWD/private/note" → ~/tree/deep/note: too many symbolic links encountered deep/
listed note: mkfifo → {"copied":true,"skipped":1} deep/
listed note: device → {"copied":true,"skipped":1} deep/
listed note: ln private/note → {"copied":true} deep/ deep/note 600
`);

Deno.test("copyFile() neither follows nor waits for what takes the place of what it has seen", () =>
  sameLater(async (swap) => {
    await using files = openFiles();
    const [at = "", put] = swap.split(": ");
    const place = at.endsWith("note") ? "tree/deep/note" : "tree/deep";
    // In a folder that is made by the copy, a file is not looked at before it is opened.
    await files.sh(`${PREY}; mkdir copy; ${at === "seen note" ? "mkdir copy/deep" : ""}`);
    const device = "device() { mknod $1 c 1 5 || mkfifo $1; }";
    const result = await copyWithSwap(files, at, `mv ${place} away; ${device}; ${put} ${place}`);
    const copied = await files.sh(
      "find copy -mindepth 1 -type f -printf '%P %m\\n' -o -printf '%P/\\n'",
    );
    return `${result} ${copied}`.trim();
  }, SWAPS));

onLinux.test("copyFile() stays in the folders that it has opened, whatever takes their places", async () => {
  await using files = openFiles();
  await files.sh(PREY);
  const swap = `stat -c %a copy/deep >mode; for at in tree copy
    do mv $at/deep $at-away; ln -s ../private $at/deep; done`;
  assertEquals(await copyWithSwap(files, "listed note", swap), COPIED);
  assertEquals(await files.sh("cat mode"), "700", "nobody else's until it is whole");
  const after = await files.sh("cat copy-away/note private/note; stat -c ' %a' copy-away");
  assertEquals(after, "notesecret 755");
});

withFiles.test("moveFile() makes missing folders and replaces files, but mixes no folders", async (files) => {
  await files.sh(`${TREE}; printf 1 >x; printf 2 >y; mkdir other; printf B >other/b`);
  const before = await look(files, "tree");
  assertEquals(await files.transfer("move", "x", "y"), MOVED);
  assertEquals(await files.transfer("move", "y", "y"), MOVED);
  assertMatch(await files.transfer("move", "tree", "other"), /not empty/);
  assertEquals(await files.transfer("move", "tree", "p/q/t"), MOVED);
  assertEquals(await files.sh("cat y other/b; echo; ls"), "1B other p y");
  assertEquals(await look(files, "p/q/t"), before);
});

withFiles.test("moveFile() and copyFile() lose nothing when a mount shows the source at the destination too", async (files) => {
  await files.sh(`mkdir -p data/part alias alias2; cd data; ${TREE}`);
  const before = await look(files, "data/tree");
  await using mount = await mounted(`${files.folder}/alias`, "--bind", `${files.folder}/data`);
  if (mount === undefined) return;
  for (const name of ["tree", "tree/a", "tree/deep/link"]) {
    assertEquals(await files.transfer("move", `data/${name}`, `alias/${name}`), MOVED);
    assertMatch(await files.transfer("copy", `data/${name}`, `alias/${name}`), /are the same/);
    assertEquals(await look(files, "data/tree"), before);
  }
  // Another name is another entry.
  assertEquals(await files.transfer("move", "data/tree", "alias/new"), MOVED);
  assertEquals(await look(files, "data/new"), before);
  assertEquals(files.names("data"), ["new", "part"]);
  await files.sh("mkdir other other/x");
  await using same = await mounted(`${files.folder}/other/x`, "--bind", `${files.folder}/data/new`);
  assert(same !== undefined);
  assertMatch(await files.transfer("copy", "data/new", "other/x"), /into itself/);
  const part = await mounted(`${files.folder}/alias2`, "--bind", `${files.folder}/data/part`);
  await using _ = part;
  assertMatch(await files.transfer("copy", "data", "alias2/copy"), /into itself/);
  // Nothing of the copy is in the copy.
  assertEquals(files.names("alias2/copy/part"), []);
});

const isOther = () => Deno.statSync("/dev/shm").dev !== Deno.statSync("/tmp").dev;
const across = onlyIf(attempt(isOther) ?? false);

across.test("moveFile() copies and deletes between two file systems, of a link not what it leads to", async () => {
  await using files = openFiles();
  await using other = openFiles("/dev/shm");
  await files.sh(`${TREE}; ln -s "$PWD/tree" link; mkdir -p ${other.folder}/file/sub`);
  const before = await look(files, "tree");
  assertEquals(await files.transfer("move", "link", `${other.folder}/link`), MOVED);
  assertEquals(await other.sh("readlink link"), `${files.folder}/tree`);
  // The source is kept when not all of it gets there, or it can't be deleted.
  assertMatch(await files.transfer("move", "tree/a", `${other.folder}/file`), /^~\/tree\/a to /);
  const denied = new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  {
    // Nothing is deleted.
    using _ = replaced(Deno, { remove: () => Promise.reject(denied) });
    const error = await files.transfer("move", "tree", `${other.folder}/tree`);
    assertMatch(error, /^~\/tree to .*: permission denied$/);
  }
  for (const path of ["tree", `${other.folder}/tree`]) {
    assertEquals(await look(files, path), before);
  }
  await files.sh("mkfifo tree/deep/fifo");
  const kept = /^~\/tree to .*: 1 devices, .* not utf-8 can't be moved; the source was kept$/;
  assertMatch(await files.transfer("move", "tree", `${other.folder}/again`), kept);
  assertEquals(await files.sh("ls tree tree/deep"), "tree: a deep  tree/deep: fifo link loop");
  await files.sh("rm tree/deep/fifo; touch -d @2000 tree/deep");
  assertEquals(await files.transfer("move", "tree", `${other.folder}/last`), MOVED);
  assertEquals([await look(files, `${other.folder}/last`), files.names()], [before, []]);
});

withFiles.test("copyFile() copies folders that are nested 256 deep, and no deeper ones", async (files) => {
  // By names of one letter, since a path takes 4096 bytes.
  const path = (depth: number) => `tree${"/d".repeat(depth)}`;
  await files.sh(`mkdir -p ${path(256)}`);
  assertEquals(await files.transfer("copy", "tree", "copy"), COPIED);
  await files.sh(`stat ${path(256).replace("tree", "copy")}`);
  await files.sh(`mkdir ${path(257)}`);
  const error = await files.transfer("copy", "tree", "again");
  assertMatch(error, /: folders are nested more than 256 deep$/);
});

withFiles.test("copyFile() ends when it is told, before an entry and within a file", async (files) => {
  await files.sh("head -c 200000 /dev/zero >file; ln -s file link");
  await sameLater(
    async ([source, looks]) => {
      let left = looks;
      const signal = Object.assign(new AbortController().signal, {
        throwIfAborted() {
          if (left-- === 0) throw new Error("the time is over");
        },
      });
      const named = { source: `~/${source}`, destination: "~/copy" };
      const args = new FileArguments(named, files.folder);
      await assertRejects(() => copyFile(args, contextOf(signal)), Error, "the time is over");
      return files.names();
    },
    [
      [["link", 0], ["file", "link"]],
      [["file", 0], ["file", "link"]],
      [["file", 1], ["file", "link"]],
    ] as const,
  );
});
