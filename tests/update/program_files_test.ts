import { assertEquals } from "@std/assert";
import { ProgramFiles } from "../../lib/update/program_files.ts";
import { syncedPaths } from "../state/synced_paths.ts";
import { sha256 } from "./release_server.ts";
import { asRoot } from "../only_on.ts";
import { TempFolder } from "../temp_folder.ts";
import { testsWith } from "../tests_with.ts";

/** A program in a folder of its own, and what is in that by the names of the files. */
function openProgram() {
  const folder = new TempFolder();
  const path = `${folder.path}/agent`;
  Deno.writeTextFileSync(path, "one", { mode: 0o750 });
  const read = () =>
    Object.fromEntries(
      [...Deno.readDirSync(folder.path)].map(({ name }) => name).sort()
        .map((name) => [name, Deno.readTextFileSync(`${folder.path}/${name}`)]),
    );
  const files = new ProgramFiles(path);
  return { files, read, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

const withProgram = testsWith(openProgram);

async function writeFresh(files: ProgramFiles, text: string): Promise<void> {
  using file = await files.createStaged();
  await file.write(new TextEncoder().encode(text));
}

withProgram.test("ProgramFiles activates a staged file and rolls back", async ({ files, read }) => {
  await writeFresh(files, "two");
  assertEquals((Deno.statSync(files.stagedPath).mode ?? 0) & 0o777, 0o600);
  await files.finishStaged();
  assertEquals((Deno.statSync(files.stagedPath).mode ?? 0) & 0o777, 0o750);
  for (let n = 0; n < 2; n++) await files.backUp();
  assertEquals(read(), { "agent": "one", "agent.new": "two", "agent.old": "one" });
  await files.activate();
  assertEquals(read(), { "agent": "two", "agent.old": "one" });
  assertEquals(await files.isActive(sha256(new TextEncoder().encode("two"))), true);
  await files.rollBack();
  assertEquals(read(), { "agent": "one" });
  assertEquals(await files.isActive(sha256(new TextEncoder().encode("two"))), false);
});

withProgram.test("ProgramFiles.createStaged() follows no symbolic link", async ({ files, read }) => {
  Deno.writeTextFileSync(`${files.path}.other`, "theirs");
  Deno.symlinkSync(`${files.path}.other`, files.stagedPath);
  await writeFresh(files, "two");
  assertEquals(read(), { "agent": "one", "agent.new": "two", "agent.other": "theirs" });
  await files.removeTemporary();
  await files.removeTemporary();
  assertEquals(read(), { "agent": "one", "agent.other": "theirs" });
});

withProgram.test("ProgramFiles brings each step to the disk before the next", async ({ files }) => {
  const folder = files.path.replace(/[^/]+$/, "");
  await writeFresh(files, "two");
  assertEquals(await syncedPaths(() => files.finishStaged()), [files.stagedPath]);
  assertEquals(await syncedPaths(() => files.backUp()), [folder]);
  assertEquals(await syncedPaths(() => files.activate()), [folder]);
  assertEquals(await syncedPaths(() => files.rollBack()), [folder]);
});

withProgram.test("ProgramFiles.finishStaged() takes over no bit but who may read, write and start it", async ({ files }) => {
  await Deno.chmod(files.path, 0o6751);
  await writeFresh(files, "two");
  await files.finishStaged();
  assertEquals((Deno.statSync(files.stagedPath).mode ?? 0) & 0o7777, 0o751);
});

asRoot.test("ProgramFiles.finishStaged() gives the staged file to the program's owner", async () => {
  using program = openProgram();
  const { files } = program;
  await Deno.chown(files.path, 4711, 4712);
  await writeFresh(files, "two");
  await files.finishStaged();
  const { uid, gid } = Deno.statSync(files.stagedPath);
  assertEquals([uid, gid], [4711, 4712]);
});
