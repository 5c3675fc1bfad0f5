import { assertEquals, assertThrows } from "@std/assert";
import { parseFileNr } from "../../lib/parse/file_nr.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

Deno.test("parseFileNr() reads the handles in use and their limit", () => {
  const text = "911\t0\t9223372036854775807\n";
  assertEquals(parseFileNr(text), { allocated: 911, maximum: 9223372036854775807 });
  for (const odd of ["", "911 0 5\n", "911\t0\n", "-1\t0\t5\n", "1\t2\t3\t4\n"]) {
    assertThrows(() => parseFileNr(odd), SyntaxError, "Cannot parse file-nr");
  }
  onlySyntaxErrors(parseFileNr, [text]);
});
