import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { changeablePart, trustedDeno } from "../../lib/service/install_context.ts";

Deno.test("trustedDeno() refuses a Deno that the service's user can't access", async () => {
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

Deno.test("trustedDeno() lets root run no Deno that other users can change", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await Deno.mkdir(`${folder}/bin`);
    const path = `${folder}/bin/deno`;
    await Deno.writeTextFile(path, "", { mode: 0o755 });
    assertEquals(trustedDeno(path, { user: "root" }), path);
    for (
      const [part, mode] of [[path, 0o757], [`${folder}/bin`, 0o777], [folder, 0o702]] as const
    ) {
      const { mode: before } = await Deno.stat(part);
      await Deno.chmod(part, mode);
      assertThrows(
        () => trustedDeno(path, { user: "root" }),
        UsageError,
        `Cannot run ${path} as root: users other than root can change ${part}; install Deno`,
      );
      await Deno.chmod(part, before ?? 0o755);
    }
    await Deno.chmod(`${folder}/bin`, 0o1777);
    assertEquals(changeablePart(path), undefined, "a sticky folder, such as /tmp");
    if (Deno.uid() !== 0) return;
    await Deno.chown(path, 1, null);
    assertEquals(changeablePart(path), path, "another user's");
    await Deno.chown(path, 0, 1);
    await Deno.chmod(path, 0o775);
    assertEquals(changeablePart(path), path, "another group's");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
