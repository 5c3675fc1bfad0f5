import { assertEquals, assertRejects } from "@std/assert";
import { ProgramFiles } from "../../lib/update/program_files.ts";
import { syncedPaths } from "../state/synced_paths.ts";
import { sha256 } from "./release_server.ts";
import { TempFolder } from "../temp_folder.ts";

/** A program in a folder of its own, which is gone afterwards. */
async function withProgram(
  use: (files: ProgramFiles, read: () => Record<string, string>) => Promise<void>,
): Promise<void> {
  using folder = new TempFolder();
  const path = `${folder.path}/agent`;
  await Deno.writeTextFile(path, "one", { mode: 0o750 });
  await use(new ProgramFiles(path), () =>
    Object.fromEntries(
      [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort()
        .map((name) => [name, Deno.readTextFileSync(`${folder.path}/${name}`)]),
    ));
}

async function writeFresh(files: ProgramFiles, text: string): Promise<void> {
  using file = await files.createStaged();
  await file.write(new TextEncoder().encode(text));
}

Deno.test("ProgramFiles activates a staged file and rolls back", async () => {
  await withProgram(async (files, read) => {
    await writeFresh(files, "two");
    assertEquals((Deno.statSync(files.stagedPath).mode ?? 0) & 0o777, 0o600);
    await files.finishStaged();
    assertEquals((Deno.statSync(files.stagedPath).mode ?? 0) & 0o777, 0o750);
    await files.backUp();
    assertEquals(read(), { "agent": "one", "agent.new": "two", "agent.old": "one" });
    await files.activate();
    assertEquals(read(), { "agent": "two", "agent.old": "one" });
    assertEquals(await files.isActive(sha256(new TextEncoder().encode("two"))), true);
    await files.rollBack();
    assertEquals(read(), { "agent": "one" });
    assertEquals(await files.isActive(sha256(new TextEncoder().encode("two"))), false);
  });
});

Deno.test("ProgramFiles.backUp() is idempotent", async () => {
  await withProgram(async (files, read) => {
    await files.backUp();
    await files.backUp();
    assertEquals(read(), { "agent": "one", "agent.old": "one" });
  });
});

Deno.test("ProgramFiles.createStaged() follows no symbolic link", async () => {
  await withProgram(async (files, read) => {
    Deno.writeTextFileSync(`${files.path}.other`, "theirs");
    Deno.symlinkSync(`${files.path}.other`, files.stagedPath);
    await writeFresh(files, "two");
    assertEquals(read(), { "agent": "one", "agent.new": "two", "agent.other": "theirs" });
    await files.removeTemporary();
    await files.removeTemporary();
    assertEquals(read(), { "agent": "one", "agent.other": "theirs" });
  });
});

Deno.test("ProgramFiles.rollBack() throws when there is no backup", async () => {
  await withProgram(async (files, read) => {
    await assertRejects(
      () => files.rollBack(),
      Error,
      `Cannot restore ${files.backupPath}`,
    );
    assertEquals(read(), { "agent": "one" });
  });
});

Deno.test("ProgramFiles brings each step to the disk before the next", async () => {
  await withProgram(async (files) => {
    const folder = files.path.replace(/[^/]+$/, "");
    await writeFresh(files, "two");
    assertEquals(await syncedPaths(() => files.finishStaged()), [files.stagedPath]);
    assertEquals(await syncedPaths(() => files.backUp()), [folder]);
    assertEquals(await syncedPaths(() => files.activate()), [folder]);
    assertEquals(await syncedPaths(() => files.rollBack()), [folder]);
  });
});

Deno.test("ProgramFiles.finishStaged() takes over no bit but who may read, write and start it", async () => {
  await withProgram(async (files) => {
    await Deno.chmod(files.path, 0o6751);
    await writeFresh(files, "two");
    await files.finishStaged();
    assertEquals((Deno.statSync(files.stagedPath).mode ?? 0) & 0o7777, 0o751);
  });
});

Deno.test("ProgramFiles.finishStaged() gives the staged file to the program's owner", async () => {
  if (Deno.uid() !== 0) return console.log("skipped: only root gives files away");
  await withProgram(async (files) => {
    await Deno.chown(files.path, 4711, 4712);
    await writeFresh(files, "two");
    await files.finishStaged();
    const { uid, gid } = Deno.statSync(files.stagedPath);
    assertEquals([uid, gid], [4711, 4712]);
  });
});
