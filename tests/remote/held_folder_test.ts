import { assertEquals, assertRejects } from "@std/assert";
import { FolderReader } from "../../lib/remote/folder_reader.ts";
import { HeldFolder } from "../../lib/remote/held_folder.ts";
import { ClosedFolder } from "../closed_folder.ts";
import { testsWith } from "../tests_with.ts";

/** With a folder, a file in it, and a link to it. */
class Folder extends ClosedFolder {
  constructor() {
    super();
    Deno.mkdirSync(`${this.path}/held`);
    Deno.writeTextFileSync(`${this.path}/held/file`, "its own");
    Deno.symlinkSync("held", `${this.path}/link`);
  }
}

const inFolder = testsWith(() => new Folder());
const onLinux = testsWith(() => new Folder(), { ignore: Deno.build.os !== "linux" });

inFolder.test("HeldFolder.open() opens folders, and follows a link only when it is told to", async ({ path: folder }) => {
  await assertRejects(() => HeldFolder.open(`${folder}/link`), Error, "ENOTDIR");
  for (const followsLink of [false, true]) {
    const path = `${folder}/held/file`;
    await assertRejects(() => HeldFolder.open(path, { followsLink }), Error, "ENOTDIR");
  }
  const held = await HeldFolder.open(`${folder}/link`, { followsLink: true });
  await using _ = held;
  assertEquals((await held.entries(new FolderReader())).map(({ name }) => name), ["file"]);
  await held.requireSame(await Deno.stat(`${folder}/held`));
  const other = await Deno.stat(folder);
  await assertRejects(() => held.requireSame(other), Error, "replaced by something else");
  await held.requireOther(other);
  const itself = await Deno.stat(`${folder}/held`);
  await assertRejects(() => held.requireOther(itself), TypeError, "into itself");
  await held.requireOther({ ...itself, dev: itself.dev + 1 });
});

onLinux.test("HeldFolder.entry() stays in its folder when that is renamed, by its path where there is no /proc", async ({ path: folder }) => {
  const { stat } = Deno;
  const held = await HeldFolder.open(`${folder}/held`);
  await using _ = held;
  await Deno.rename(`${folder}/held`, `${folder}/away`);
  assertEquals(await Deno.readTextFile(held.entry("file")), "its own");
  const answers = [
    () => Promise.reject(new Deno.errors.NotFound("there is no /proc")),
    // The /proc of others.
    () => stat(folder),
    async () => ({ ...await stat(`${folder}/away`), dev: -1 }),
  ];
  for (const answer of answers) {
    Deno.stat = answer;
    const byPath = await HeldFolder.open(`${folder}/away`).finally(() => Deno.stat = stat);
    await using _ = byPath;
    assertEquals(byPath.entry("file"), `${folder}/away/file`);
    const entries = await byPath.entries(new FolderReader());
    assertEquals(entries.map(({ name }) => name), ["file"]);
  }
});
