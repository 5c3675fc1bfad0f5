import { assertEquals, assertThrows } from "@std/assert";
import { parseMemoryLimit } from "../../lib/parse/cgroup.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

Deno.test("parseMemoryLimit() reads a limit in bytes", () => {
  assertEquals(parseMemoryLimit("536870912\n"), 536870912);
  assertEquals(parseMemoryLimit("0\n"), 0);
});

for (
  const text of ["max\n", "9223372036854771712\n", "9223372036854710272\n", "18446744073709551615"]
) {
  Deno.test(`parseMemoryLimit() sees no limit when the kernel writes ${text.trim()}`, () => {
    assertEquals(parseMemoryLimit(text), undefined);
  });
}

for (const text of ["", "-1\n", "1.5", "512M", "max 5", "9".repeat(21), " 5"]) {
  Deno.test(`parseMemoryLimit() throws when the text is "${text.trim()}"`, () => {
    assertThrows(() => parseMemoryLimit(text), SyntaxError, `"${text.split("\n")[0]}"`);
  });
}

Deno.test("parseMemoryLimit() throws nothing but SyntaxError", () => {
  onlySyntaxErrors(parseMemoryLimit, ["536870912\n", "max\n"]);
});
