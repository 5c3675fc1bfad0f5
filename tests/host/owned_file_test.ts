import { assertEquals, assertRejects } from "@std/assert";
import { type FileHandle, open } from "node:fs/promises";
import {
  createOwnedFile,
  type FileOwner,
  finishFile,
  setFolderOwner,
} from "../../lib/host/owned_file.ts";
import { ClosedFolder } from "../closed_folder.ts";
import { replaced } from "../replaced.ts";
import { testsWith } from "../tests_with.ts";

/** None, and ids that no file of a test has otherwise: only root gives files away. */
const OWNERS: readonly (FileOwner | undefined)[] = [
  undefined,
  ...Deno.uid() === 0 ? [{ uid: 4711, gid: 4712 }] : [],
];
const tried = OWNERS.length > 1 ? "" : " (not as root: of no other owner)";

/** A folder whose other user replaces its files. */
class SharedFolder extends ClosedFolder {
  readonly file = `${this.path}/file.new`;
  /** A file of root's elsewhere. */
  readonly victim = `${this.path}/victim`;

  constructor() {
    super();
    Deno.writeTextFileSync(this.victim, "secret", { mode: 0o600 });
  }

  /** Puts a link to the victim at the file's place. */
  swap(): void {
    Deno.renameSync(this.file, `${this.path}/moved`);
    Deno.symlinkSync("victim", this.file);
  }

  /** The victim's owner, mode and text. */
  state(): [uid: number | null, mode: number, text: string] {
    const { uid, mode } = Deno.statSync(this.victim);
    return [uid, (mode ?? 0) & 0o777, Deno.readTextFileSync(this.victim)];
  }
}

/** Runs `use`, and `meanwhile` right before a descriptor gets its mode. */
async function beforeMode(meanwhile: () => void, use: () => Promise<void>): Promise<void> {
  const any = await open(new URL(import.meta.url));
  const handles: FileHandle = Object.getPrototypeOf(any);
  await any.close();
  const { chmod } = handles;
  using _meanwhile = replaced(handles, {
    async chmod(this: FileHandle, mode): Promise<void> {
      meanwhile();
      await chmod.call(this, mode);
    },
  });
  await use();
}

const inSharedFolder = testsWith(() => new SharedFolder());

inSharedFolder.test(`createOwnedFile() writes a text or a copy, with its mode and owner${tried}`, async (folder) => {
  const large = "x".repeat(700_000);
  Deno.writeTextFileSync(`${folder.path}/source`, large);
  const contents = ["text", { copyOf: `${folder.path}/source` }];
  const all = contents.flatMap((content) => OWNERS.map((owner) => ({ content, owner })));
  for (const { content, owner } of all) {
    await createOwnedFile(folder.file, { content, mode: 0o751, owner });
    assertEquals(Deno.readTextFileSync(folder.file), content === "text" ? "text" : large);
    const { mode, uid, gid } = Deno.statSync(folder.file);
    assertEquals((mode ?? 0) & 0o7777, 0o751);
    assertEquals([uid, gid], owner ? [owner.uid, owner.gid] : [Deno.uid(), Deno.gid()]);
    await assertRejects(
      () => createOwnedFile(folder.file, { content, mode: 0o644 }),
      Error,
      "EEXIST",
    );
    Deno.removeSync(folder.file);
  }
});

inSharedFolder.test("createOwnedFile() is private until it has its mode, and changes no other file", async (folder) => {
  const before = folder.state();
  let mode = 0;
  await beforeMode(() => {
    mode = (Deno.statSync(folder.file).mode ?? 0) & 0o777;
    folder.swap();
  }, () => createOwnedFile(folder.file, { content: "text", mode: 0o755, owner: OWNERS.at(-1) }));
  assertEquals(mode, 0o600);
  assertEquals(folder.state(), before);
  // By its path, as without the descriptor, it is changed.
  Deno.chmodSync(folder.file, 0o755);
  assertEquals(folder.state()[1], 0o755);
});

inSharedFolder.test("createOwnedFile() follows no link at its place", async (folder) => {
  const before = folder.state();
  Deno.symlinkSync("victim", folder.file);
  await assertRejects(() => createOwnedFile(folder.file, { content: "text", mode: 0o755 }), Error);
  Deno.removeSync(folder.file);
  Deno.symlinkSync("missing", folder.file);
  await assertRejects(() => createOwnedFile(folder.file, { content: "text", mode: 0o755 }), Error);
  assertEquals(folder.state(), before);
});

inSharedFolder.test("finishFile() changes only the file that the caller has created", async (folder) => {
  const before = folder.state();
  Deno.writeTextFileSync(folder.file, "new", { mode: 0o600 });
  await beforeMode(
    () => folder.swap(),
    () => finishFile(folder.file, { mode: 0o755, owner: OWNERS.at(-1) }),
  );
  assertEquals((Deno.statSync(`${folder.path}/moved`).mode ?? 0) & 0o777, 0o755);
  // A link, and a second name of another file.
  await assertRejects(() => finishFile(folder.file, { mode: 0o755 }), Error);
  Deno.removeSync(folder.file);
  Deno.linkSync(folder.victim, folder.file);
  await assertRejects(() => finishFile(folder.file, { mode: 0o755 }), Error, "was replaced");
  assertEquals(folder.state(), before);
});

inSharedFolder.test(`setFolderOwner() follows no link${tried}`, async (folder) => {
  const [inner, link] = [`${folder.path}/inner`, `${folder.path}/link`];
  Deno.mkdirSync(inner, { mode: 0o755 });
  Deno.symlinkSync("inner", link);
  await assertRejects(() => setFolderOwner(link, { mode: 0o700 }), Error);
  await assertRejects(() => setFolderOwner(folder.victim, { mode: 0o700 }), Error);
  for (const owner of OWNERS) {
    await setFolderOwner(inner, { mode: 0o701, owner });
    const { mode, uid } = Deno.statSync(inner);
    assertEquals([uid, (mode ?? 0) & 0o777], [owner?.uid ?? Deno.uid(), 0o701]);
  }
});
