import { assertEquals, assertRejects } from "@std/assert";
import { HeldFolder } from "../../lib/remote/held_folder.ts";
import { onLinux } from "../only_on.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await Deno.mkdir(`${folder}/held`);
    await Deno.writeTextFile(`${folder}/held/file`, "its own");
    await Deno.symlink("held", `${folder}/link`);
    await use(folder);
    const open = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => {
      try {
        return Deno.readLinkSync(`/proc/self/fd/${name}`);
      } catch {
        return ""; // It was closed meanwhile.
      }
    });
    assertEquals(open.filter((path) => path.startsWith(`${folder}/`)), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("HeldFolder.open() opens folders, and follows a link only when it is told to", async () => {
  await withFolder(async (folder) => {
    await assertRejects(() => HeldFolder.open(`${folder}/link`), Error, "ENOTDIR");
    for (const followsLink of [false, true]) {
      const path = `${folder}/held/file`;
      await assertRejects(() => HeldFolder.open(path, { followsLink }), Error, "ENOTDIR");
    }
    const held = await HeldFolder.open(`${folder}/link`, { followsLink: true });
    await using _ = held;
    assertEquals(await held.names(), ["file"]);
    await held.requireSame(await Deno.stat(`${folder}/held`));
    const other = await Deno.stat(folder);
    await assertRejects(() => held.requireSame(other), Error, "replaced by something else");
    await held.requireOther(other);
    const itself = await Deno.stat(`${folder}/held`);
    await assertRejects(() => held.requireOther(itself), TypeError, "into itself");
    await held.requireOther({ ...itself, dev: itself.dev + 1 });
  });
});

onLinux.test("HeldFolder.entry() stays in its folder when that is renamed, by its path where there is no /proc", async () => {
  const { stat } = Deno;
  await withFolder(async (folder) => {
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
      assertEquals(await byPath.names(), ["file"]);
    }
  });
});

Deno.test("HeldFolder.becomeLike() takes over all bits of the mode, and both times", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/other`);
    await Deno.chmod(`${folder}/other`, 0o3751);
    await Deno.utime(`${folder}/other`, 3000, 2000);
    const held = await HeldFolder.open(`${folder}/held`);
    await using _ = held;
    const other = await HeldFolder.open(`${folder}/other`);
    await using _other = other;
    await held.becomeLike(other);
    const { mode, atime, mtime } = await Deno.stat(`${folder}/held`);
    assertEquals([mode! & 0o7777, atime?.getTime(), mtime?.getTime()], [
      ...[0o3751, 3_000_000, 2_000_000],
    ]);
  });
});
