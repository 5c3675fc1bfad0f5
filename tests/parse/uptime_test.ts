import { assertEquals, assertThrows } from "@std/assert";
import { parseUptime } from "../../lib/parse/uptime.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

Deno.test("parseUptime() reads seconds with a fraction, and throws a SyntaxError for any other text, and nothing else", () => {
  assertEquals(parseUptime("1924.67 3543.66\n"), 1924.67);
  assertEquals(parseUptime("86400 0\n"), 86400);
  for (const line of ["", "up", "-5.00 1.00", "1924.67x 1", ".5 1", "5\x01 1"]) {
    assertThrows(() => parseUptime(`${line}\n`), SyntaxError, `"${line}"`);
  }
  onlySyntaxErrors(parseUptime, ["1924.67 3543.66\n"]);
});
