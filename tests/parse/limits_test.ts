import { parseOpenFiles } from "../../lib/parse/limits.ts";
import { same } from "../cases.ts";

Deno.test("parseOpenFiles() reads the soft limit", async () => {
  await same(parseOpenFiles, [
    [Deno.readTextFileSync("tests/fixtures/debian-vm/proc/self/limits"), 20000],
    ["Max open files            unlimited            unlimited            files \n", Infinity],
    ["Max open files many 5 files\n", undefined],
  ]);
});
