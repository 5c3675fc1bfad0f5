import { assertEquals } from "@std/assert";

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

Deno.test({
  name: "dropToOwner() has root write what a folder's owner can read, and nothing that he can't",
  ignore: Deno.uid() !== 0,
  async fn() {
    const folder = Deno.makeTempDirSync();
    try {
      Deno.chmodSync(folder, 0o711);
      Deno.mkdirSync(`${folder}/theirs`, { mode: 0o700 });
      Deno.symlinkSync("../of-root", `${folder}/theirs/link`);
      Deno.chownSync(`${folder}/theirs`, NOBODY, NOBODY);
      const program = `${folder}/program.js`;
      Deno.writeTextFileSync(program, PROGRAM);
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-prompt", "--no-check", "--config", CONFIG, program, folder],
        stderr: "inherit",
      }).output();
      assertEquals(new TextDecoder().decode(stdout), "PermissionDenied\n");
      const { uid, gid } = Deno.statSync(`${folder}/theirs/new`);
      assertEquals([uid, gid], [NOBODY, NOBODY]);
      assertEquals(Deno.statSync(`${folder}/of-root`).uid, 0);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
