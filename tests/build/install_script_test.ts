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

Deno.test("writeInstallScript() stamps repository and key only, and nothing that could be a command", async () => {
  const text = Deno.readTextFileSync(new URL("../../install.sh", import.meta.url))
    .replace(/^REPOSITORY='.*'$/m, "REPOSITORY=''");
  const stamped = await stamp(text, "some/where", KEY);
  const changed = stamped.split("\n").filter((line) => !text.split("\n").includes(line));
  assertEquals(changed, ["REPOSITORY='some/where'", `PUBLIC_KEY='${KEY}'`]);
  assertEquals(await stamp(stamped, ""), text);

  const lines = ["REPOSITORY=''\n", "PUBLIC_KEY=''\n"];
  for (const other of ["#!/bin/sh\n", ...lines, `  ${lines.join("  ")}`, 'REPOSITORY="x"\n']) {
    await assertRejects(() => stamp(other, "a/b"), Error, "Cannot stamp install.sh");
  }
  for (const repository of ["a/b'; reboot; '", "a/b\nreboot", "a", "a/b/c", "a/$(b)"]) {
    await assertRejects(() => stamp(lines.join(""), repository), Error, "Cannot stamp");
  }
  for (const key of ["x", `${KEY}'; reboot; '`, `${KEY}\n`, privateKey]) {
    await assertRejects(() => stamp(lines.join(""), "a/b", key), RangeError, "Ed25519");
  }
});
