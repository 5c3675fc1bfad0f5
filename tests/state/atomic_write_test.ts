import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { linkOrCopy, removeIfExists } from "../../lib/state/atomic_write.ts";
import { openBelow } from "../open_below.ts";
import { syncedPaths } from "./synced_paths.ts";
import { TempFolder } from "../temp_folder.ts";

Deno.test("removeIfExists() removes what is there, and says when it stays", async () => {
  using folder = new TempFolder();
  const path = `${folder.path}/a`;
  await removeIfExists(path);
  Deno.writeTextFileSync(path, "");
  await removeIfExists(`${path}/below-a-file`);
  await removeIfExists(path);
  Deno.mkdirSync(`${path}/full`, { recursive: true });
  await assertRejects(() => removeIfExists(path), Error);
  await removeIfExists(path, { recursive: true });
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  using folder = new TempFolder();
  await use(folder.path);
}

Deno.test("linkOrCopy() makes a second link, in place of what has the name", async () => {
  await withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/a`, "one", { mode: 0o640 });
    Deno.writeTextFileSync(`${folder}/b`, "two");
    await linkOrCopy(`${folder}/a`, `${folder}/b`);
    assertEquals(Deno.readTextFileSync(`${folder}/b`), "one");
    assertEquals(Deno.statSync(`${folder}/b`).ino, Deno.statSync(`${folder}/a`).ino);
  });
});

Deno.test("linkOrCopy() copies a symbolic link, and does not follow it", async () => {
  await withFolder(async (folder) => {
    Deno.symlinkSync("nowhere", `${folder}/a`);
    await linkOrCopy(`${folder}/a`, `${folder}/b`);
    assertEquals(Deno.readLinkSync(`${folder}/b`), "nowhere");
  });
});

Deno.test({
  name: "linkOrCopy() copies text, owner and mode where there can't be a link",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await withFolder(async (folder) => {
      // Of another file system, of which no link can be made here.
      await linkOrCopy("/proc/version", `${folder}/b`);
      assertEquals(Deno.readTextFileSync(`${folder}/b`), Deno.readTextFileSync("/proc/version"));
      const { mode, uid } = Deno.statSync(`${folder}/b`);
      assertEquals([(mode ?? 0) & 0o7777, uid], [0o444, Deno.uid()]);
    });
  },
});

Deno.test("linkOrCopy() brings a copy to the disk, with its owner and without rights of a set-uid program", async () => {
  await withFolder(async (folder) => {
    const [from, to] = [`${folder}/a`, `${folder}/b`];
    Deno.writeTextFileSync(from, "one");
    const owner = Deno.uid() === 0 ? 65534 : Deno.uid();
    if (Deno.uid() === 0) Deno.chownSync(from, owner, owner);
    Deno.chmodSync(from, 0o4750);
    const { link } = Deno;
    Deno.link = () => Promise.reject(new Deno.errors.PermissionDenied("no links here"));
    try {
      assertEquals(await syncedPaths(() => linkOrCopy(from, to)), [to]);
    } finally {
      Deno.link = link;
    }
    const { mode, uid, gid, ino } = Deno.statSync(to);
    assertNotEquals(ino, Deno.statSync(from).ino);
    assertEquals([(mode ?? 0) & 0o7777, uid, gid], [0o750, owner, Deno.statSync(from).gid]);
    assertEquals(openBelow(folder), [], "nothing stays open");
  });
});
