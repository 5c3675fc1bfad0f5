import { assertEquals, assertRejects } from "@std/assert";
import { removeIfExists } from "../../lib/state/atomic_write.ts";

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
