import { assert, assertEquals } from "@std/assert";
import { onLinux } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";
import { TempFolder } from "../temp_folder.ts";

/** Names the unix sockets of a process of its own, and tells how many had no name before and after. */
const PROGRAM = `
import { nameUnixSockets } from "${new URL("../../lib/sandbox/unix_sockets.ts", import.meta.url)}";
using listener = Deno.listen({ transport: "unix", path: Deno.args[0] });
function names() {
  const lines = Deno.readTextFileSync("/proc/net/unix").split("\\n");
  const named = new Map(lines.map((line) => line.trim().split(/ +/).slice(6)));
  return [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      const inode = /^socket:\\[(\\d+)\\]$/.exec(Deno.readLinkSync("/proc/self/fd/" + name))?.[1];
      return inode !== undefined && named.has(inode) ? [named.get(inode) ?? ""] : [];
    } catch {
      return [];
    }
  });
}
const before = names();
nameUnixSockets();
// Those that have a name keep it.
nameUnixSockets();
console.log(JSON.stringify({ before, after: names() }));
`;

onLinux.test("nameUnixSockets() leaves no unix socket that could become a file", async () => {
  using folder = new TempFolder();
  const path = `${folder.path}/listening`;
  const output = await denoOutput("eval --ext=js", [PROGRAM, path]);
  const { before, after } = JSON.parse(output);
  assert(before.includes(""), "the runtime has some without a name");
  const files = before.filter((name: string) => name !== "");
  assertEquals(files, [path]);
  assertEquals(after.length, before.length);
  assertEquals(after.filter((name: string) => !name.startsWith("@")), files);
});
