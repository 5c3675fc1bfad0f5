import { assertEquals, assertThrows } from "@std/assert";
import { parseByteLimit } from "../../lib/parse/cgroup.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

Deno.test("parseByteLimit() reads a limit in bytes", () => {
  assertEquals(parseByteLimit("536870912\n"), 536870912);
  assertEquals(parseByteLimit("0\n"), 0);
});

for (
  const text of ["max\n", "9223372036854771712\n", "9223372036854710272\n", "18446744073709551615"]
) {
  Deno.test(`parseByteLimit() sees no limit when the kernel writes ${text.trim()}`, () => {
    assertEquals(parseByteLimit(text), undefined);
  });
}

for (const text of ["", "-1\n", "1.5", "512M", "max 5", "9".repeat(21), " 5"]) {
  Deno.test(`parseByteLimit() throws when the text is "${text.trim()}"`, () => {
    assertThrows(() => parseByteLimit(text), SyntaxError, `"${text.split("\n")[0]}"`);
  });
}

Deno.test("parseByteLimit() throws nothing but SyntaxError", () => {
  onlySyntaxErrors(parseByteLimit, ["536870912\n", "max\n"]);
});
