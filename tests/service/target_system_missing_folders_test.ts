import { assertEquals } from "@std/assert";
import { missingFolders } from "../../lib/service/target_system.ts";

Deno.test("missingFolders() lists missing parents, deepest first", async () => {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/opt`);
    assertEquals(missingFolders(["/opt/a/b/program", "/opt/a/other", "/x/y"], { root }), [
      "/opt/a/b",
      "/opt/a",
      "/x",
    ]);
    assertEquals(missingFolders(["/opt/program", "/top"], { root }), []);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
