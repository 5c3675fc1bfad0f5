import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { trustedDeno } from "../../lib/service/install_context.ts";

Deno.test("trustedDeno() refuses a Deno that lies in somebody's closed home", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    // The folder itself is closed to others, as such ones are.
    await Deno.mkdir(`${folder}/bin`);
    await Deno.writeTextFile(`${folder}/bin/deno`, "", { mode: 0o755 });
    const path = `${folder}/bin/deno`;
    assertThrows(
      () => trustedDeno(path, { user: "agent" }),
      UsageError,
      `Cannot run ${path} as agent: ${folder} is not accessible to other users`,
    );
    assertEquals(trustedDeno(path, { user: "root" }), path);
    await Deno.chmod(folder, 0o755);
    await Deno.symlink(path, `${folder}/link`);
    assertEquals(trustedDeno(`${folder}/link`, { user: "agent" }), path);
    await Deno.chmod(path, 0o700);
    assertThrows(
      () => trustedDeno(path, { user: "agent" }),
      UsageError,
      `: ${path} is not accessible`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
