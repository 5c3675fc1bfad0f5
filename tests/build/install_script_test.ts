import { assertEquals, assertRejects } from "@std/assert";
import { writeInstallScript } from "../../build/install_script.ts";

async function stamp(text: string, repository: string): Promise<string> {
  const root = await Deno.makeTempDir({ prefix: "install-script-" });
  try {
    await Deno.writeTextFile(`${root}/install.sh`, text);
    await Deno.mkdir(`${root}/dist`);
    const info = { version: "1.2.3", commit: "", repository };
    const path = await writeInstallScript(root, { info, dist: `${root}/dist` });
    assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o755);
    return await Deno.readTextFile(path);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("writeInstallScript() writes down where releases come from, and changes nothing else", async () => {
  const text = Deno.readTextFileSync(new URL("../../install.sh", import.meta.url));
  const stamped = await stamp(text, "some/where");
  assertEquals(stamped.split("\n").filter((line) => !text.split("\n").includes(line)), [
    "REPOSITORY='some/where'",
  ]);
  assertEquals(await stamp(stamped, ""), text);
});

Deno.test("writeInstallScript() refuses a script that could not be told", async () => {
  for (const text of ["", "#!/bin/sh\n", "  REPOSITORY=''\n", 'REPOSITORY="x"\n']) {
    await assertRejects(() => stamp(text, "a/b"), Error, "Cannot stamp install.sh");
  }
});

Deno.test("writeInstallScript() lets no name of a repository become a command", async () => {
  for (const repository of ["a/b'; reboot; '", "a/b\nreboot", "a", "a/b/c", "a/$(b)"]) {
    await assertRejects(() => stamp("REPOSITORY=''\n", repository), Error, "Cannot stamp");
  }
});
