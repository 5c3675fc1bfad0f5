import { assertEquals } from "@std/assert";
import { linkOrCopy } from "../../lib/state/atomic_write.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
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
