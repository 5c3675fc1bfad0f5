import { assertEquals } from "@std/assert";
import { missingFolders } from "../../lib/service/target_system.ts";

Deno.test("missingFolders() has those on the way that are not there, the deepest first", async () => {
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
