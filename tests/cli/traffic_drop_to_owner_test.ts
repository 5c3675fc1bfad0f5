import { assertEquals } from "@std/assert";
import { TempFolder } from "../temp_folder.ts";
import { asRoot } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";

const NOBODY = 65534;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** Run apart, since it holds for the rest of a process's life. */
const PROGRAM = `
import { dropToOwner } from "${new URL("../../lib/cli/traffic.ts", import.meta.url)}";
const [folder] = Deno.args;
await dropToOwner(folder + "/none");
Deno.writeTextFileSync(folder + "/of-root", "");
for (let count = 0; count < 2; count++) await dropToOwner(folder + "/theirs");
await Deno.writeTextFile(folder + "/theirs/new", "");
try {
  Deno.writeTextFileSync(folder + "/theirs/link", "");
} catch (error) {
  console.log(error.name);
}
`;

asRoot.test("dropToOwner() has root write what a folder's owner can read, and nothing that he can't", async () => {
  using folder = new TempFolder();
  Deno.chmodSync(folder.path, 0o711);
  Deno.mkdirSync(`${folder.path}/theirs`, { mode: 0o700 });
  Deno.chownSync(`${folder.path}/theirs`, NOBODY, NOBODY);
  Deno.symlinkSync("../of-root", `${folder.path}/theirs/link`);
  const program = `${folder.path}/program.js`;
  Deno.writeTextFileSync(program, PROGRAM);
  const output = await denoOutput("run -A --no-prompt --no-check --config", [
    CONFIG,
    program,
    folder.path,
  ]);
  assertEquals(output, "PermissionDenied\n");
  const { uid, gid } = Deno.statSync(`${folder.path}/theirs/new`);
  assertEquals([uid, gid], [NOBODY, NOBODY]);
  assertEquals(Deno.statSync(`${folder.path}/of-root`).uid, 0);
});
