import { assertEquals } from "@std/assert";
import { parseLimits } from "../../lib/parse/limits.ts";

Deno.test("parseLimits() reads the soft limits of a captured file", () => {
  const text = Deno.readTextFileSync("tests/fixtures/debian-vm/proc/self/limits");
  assertEquals(parseLimits(text), { openFiles: 20000, addressSpaceBytes: Infinity });
  assertEquals(parseLimits("Max open files many 5 files\n"), {
    openFiles: undefined,
    addressSpaceBytes: undefined,
  });
});
