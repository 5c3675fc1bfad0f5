import { assertEquals, assertRejects } from "@std/assert";
import { removeIfExists, writeToDisk } from "../../lib/state/atomic_write.ts";
import { openBelow } from "../open_below.ts";
import { syncedPaths } from "./synced_paths.ts";

Deno.test("writeToDisk() replaces a file or link with one of its mode, and brings it to the disk", async () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/a`;
  try {
    Deno.writeTextFileSync(`${folder}/theirs`, "as it was");
    Deno.symlinkSync("theirs", path);
    for (const [text, mode] of [["one, which is longer", 0o600], ["two", 0o640]] as const) {
      assertEquals(await syncedPaths(() => writeToDisk(path, { text, mode })), [path]);
      assertEquals(Deno.readTextFileSync(path), text);
      assertEquals((Deno.lstatSync(path).mode ?? 0) & 0o777, mode);
    }
    assertEquals(Deno.readTextFileSync(`${folder}/theirs`), "as it was");
    assertEquals(openBelow(folder), [], "nothing stays open");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("removeIfExists() removes what is there, and says when it stays", async () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/a`;
  try {
    await removeIfExists(path);
    Deno.writeTextFileSync(path, "");
    await removeIfExists(`${path}/below-a-file`);
    await removeIfExists(path);
    Deno.mkdirSync(`${path}/full`, { recursive: true });
    await assertRejects(() => removeIfExists(path), Error);
    await removeIfExists(path, { recursive: true });
    assertEquals([...Deno.readDirSync(folder)], []);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
