import { assertEquals, assertRejects } from "@std/assert";
import { writeInstallScript } from "../../build/install_script.ts";
import { ReleaseKeys } from "../update/release_keys.ts";
import { TempFolder } from "../temp_folder.ts";

async function stamp(text: string, repository: string, releaseKey = ""): Promise<string> {
  using root = new TempFolder();
  await Deno.writeTextFile(`${root.path}/install.sh`, text);
  await Deno.mkdir(`${root.path}/dist`);
  const info = { repository, releaseKey };
  const path = await writeInstallScript(root.path, { info, dist: `${root.path}/dist` });
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o755);
  return await Deno.readTextFile(path);
}

const { publicKey: KEY, privateKey } = new ReleaseKeys();

Deno.test("writeInstallScript() stamps repository and key only", async () => {
  const text = Deno.readTextFileSync(new URL("../../install.sh", import.meta.url))
    .replace(/^REPOSITORY='.*'$/m, "REPOSITORY=''");
  const stamped = await stamp(text, "some/where", KEY);
  assertEquals(stamped.split("\n").filter((line) => !text.split("\n").includes(line)), [
    "REPOSITORY='some/where'",
    `PUBLIC_KEY='${KEY}'`,
  ]);
  assertEquals(await stamp(stamped, ""), text);
});

Deno.test("writeInstallScript() throws when the lines to stamp are missing", async () => {
  const lines = ["REPOSITORY=''\n", "PUBLIC_KEY=''\n"];
  for (const text of ["", "#!/bin/sh\n", ...lines, `  ${lines.join("  ")}`, 'REPOSITORY="x"\n']) {
    await assertRejects(() => stamp(text, "a/b"), Error, "Cannot stamp install.sh");
  }
});

Deno.test("writeInstallScript() throws when a name or key could be a command", async () => {
  const text = "REPOSITORY=''\nPUBLIC_KEY=''\n";
  for (const repository of ["a/b'; reboot; '", "a/b\nreboot", "a", "a/b/c", "a/$(b)"]) {
    await assertRejects(() => stamp(text, repository), Error, "Cannot stamp");
  }
  for (const key of ["x", `${KEY}'; reboot; '`, `${KEY}\n`, privateKey]) {
    await assertRejects(() => stamp(text, "a/b", key), RangeError, "Ed25519");
  }
});
